@OC-CTRL-2041
Feature: What is secret stays secret
  Prompts, outputs and keys reach no log line, no event and no error.

  Background:
    Given a pool of 1 engine with 1 slot
    And the keys
      | key   | tenant  | scopes |
      | root  | default | admin  |
    And I use the key "root"

  @ORCH-3027
  Scenario: A task's texts are in no log line and no event
    When I post and follow a task with
      | prompt   | "the word is plugh-4711"     |
      | stop     | ["plugh-4711 stops it"]      |
      | metadata | {"note": "plugh-4711 noted"} |
    Then neither the log nor the events contain "plugh-4711"
    And neither the log nor the events contain what was streamed

  Scenario: An engine that quotes a prompt in its error makes no difference
    Given the engines will refuse with 400 and say "cannot parse plugh-4711"
    When I post and follow a task with
      | prompt | "the word is plugh-4711" |
    Then the stream ends with an error
    And neither the log nor the events contain "plugh-4711"

  Scenario: A wrong request makes no difference either
    When I post the body
      """
      {"prompt":"plugh-4711","plugh-4711":true}
      """
    Then the answer is 400 INVALID_PARAMS
    And neither the log nor the events contain "plugh-4711"

  Scenario Outline: <whose> key is in no log line and no event
    Given I use <key>
    When I post a task
    Then neither the log nor the events contain the key

    Examples:
      | whose      | key                      |
      | A known    | the key "root"           |
      | A stranger's | a key that nobody issued |
