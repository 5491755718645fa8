Feature: The same seed gives the same bytes

  Background:
    Given a pool of 2 built-in engines
    And the pool is configured with
      """
      slots: 2
      replica_labels: [{ n: zero }, { n: one }]
      """

  @ORCH-3045 @ORCH-3050 @OC-TEST-7001
  Scenario Outline: Seed <seed> says the same on either replica, with and without neighbours
    Given I post and follow a task called "alone" with
      | prompt    | "Write a haiku about rivers." |
      | seed      | <seed>                        |
      | placement | {"labels": {"n": "zero"}}     |
    When I post 6 tasks
    And I post and follow a task called "in company" with
      | prompt    | "Write a haiku about rivers." |
      | seed      | <seed>                        |
      | placement | {"labels": {"n": "one"}}      |
    Then task "in company" says the same as task "alone"

    Examples:
      | seed                |
      | 0                   |
      | 7                   |
      | 9223372036854775807 |

  @ORCH-3045
  Scenario: Another seed says something else
    When I post and follow a task called "one" with
      | prompt | "Write a haiku about tea." |
      | seed   | 1                          |
    And I post and follow a task called "two" with
      | prompt | "Write a haiku about tea." |
      | seed   | 2                          |
    Then task "two" says something else than task "one"

  @OC-CTRL-2014
  Scenario Outline: The seed <seed> is taken digit for digit
    When I post the body
      """
      {"prompt":"p","max_tokens":2,"seed":<seed>}
      """
    Then the answer contains "\"seed\":<seed>"
    And the record of the task contains "\"seed\":<seed>"

    Examples:
      | seed                 |
      | 9007199254740993     |
      | -9223372036854775808 |

  @ORCH-3032 @ORCH-3045 @ORCH-2001
  Scenario: A result carries its proof
    When I post and follow a task with
      | prompt | "Write a haiku about ice." |
      | seed   | 21                         |
    Then the task has
      | proof.seed             | 21                         |
      | proof.engine           | llamacpp                   |
      | proof.engine_version   | any                        |
      | proof.model_digest     | /^sha256:[0-9a-f]{64}$/    |
    And the proof of the task is the digest of what was streamed
