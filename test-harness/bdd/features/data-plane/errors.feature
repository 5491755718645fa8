@ORCH-2006
Feature: Errors that say what is wrong, and where
  Every refusal is one envelope with a code of the closed list; faults of a request carry their place.

  Background:
    Given a pool of 1 engine with 1 slot

  @OC-CTRL-2010
  Scenario Outline: A request with <fault>
    When I post the body
      """
      <body>
      """
    Then the answer is 400 INVALID_PARAMS
    And the answer names "<place>"
    And the answer has
      | retriable | false |

    Examples:
      | fault                       | body                                             | place          |
      | an unknown field            | {"prompt":"p","promt":"p"}                       | /promt         |
      | a text for a number         | {"prompt":"p","temperature":"hot"}               | /temperature   |
      | a word that is no priority  | {"prompt":"p","priority":"urgent"}               | /priority      |
      | a seed beyond 64 bits       | {"prompt":"p","seed":9223372036854775808}        | /seed          |
      | a deadline in the past      | {"prompt":"p","deadline_ms":-1}                  | /deadline_ms   |
      | a task_id that is no UUID   | {"prompt":"p","task_id":"42"}                    | /task_id       |
      | a message without content   | {"messages":[{"role":"user"}]}                   | /messages/0/content |
      | a ranking's field elsewhere | {"prompt":"p","query":"q"}                       | /query         |

  @OC-CTRL-2010
  Scenario: All faults of a request are named at once
    When I post the body
      """
      {"promt":"hi","temperature":"hot"}
      """
    Then the answer is 400 INVALID_PARAMS
    And the answer names "", "/promt", "/temperature"

  @OC-CTRL-2010 @OC-CTRL-2041
  Scenario: What the client wrote is not repeated to it
    When I post the body
      """
      {"prompt":"p","temperature":"my-secret-word","my-own":1}
      """
    Then the answer is 400 INVALID_PARAMS
    And the answer does not contain "my-secret-word"

  @ORCH-3014
  Scenario: A context that the pool does not have
    When I post a task with
      | ctx | 100000 |
    Then the answer is 400 INVALID_PARAMS
    And the answer names "/ctx"

  @ORCH-3015
  Scenario: A prompt and an answer that do not fit the context together
    When I post a task with
      | max_tokens | 4096 |
    Then the answer is 400 INVALID_PARAMS
    And the answer names "/max_tokens"

  @OC-CTRL-2030
  Scenario Outline: A request that is no task at all: <what>
    When I send <method> "<path>" as "<type>"
      """
      <body>
      """
    Then the answer is <answer>

    Examples:
      | what              | method | path       | type             | body           | answer             |
      | cut off JSON      | POST   | /v1/tasks  | application/json | {"prompt":"p   | 400 INVALID_PARAMS |
      | another format    | POST   | /v1/tasks  | text/plain       | hello          | 415 INVALID_PARAMS |
      | another method    | PUT    | /v1/tasks  | application/json | {"prompt":"p"} | 405 INVALID_PARAMS |
      | an unknown path   | POST   | /v2/tasks  | application/json | {"prompt":"p"} | 404 NOT_FOUND      |
      | an id that is none| POST   | /v1/tasks/first/cancel | application/json | {} | 400 INVALID_PARAMS |

  @OC-CTRL-2032
  Scenario: A body that is too large
    When I post a task with a prompt of 2000000 characters
    Then the answer is 413 PAYLOAD_TOO_LARGE
