@ORCH-3051
Feature: An engine fails in the middle of a stream
  A strict task goes on elsewhere, on the same stream, with the same bytes. A best-effort task that was seen
  cannot, and says so.

  Background:
    Given a pool of 2 engines with 1 slot each
    And the pool is configured with
      """
      timeouts: { wall_ms: 60000, idle_ms: 1500, control_ms: 1000, connect_ms: 1000 }
      """

  @ORCH-3045 @ORCH-3046 @OC-CTRL-2025
  Scenario Outline: A strict task whose engine <does> goes on with the same bytes
    Given I post and follow a task called "undisturbed" with
      | prompt | "tell me" |
      | seed   | 1         |
    And task "undisturbed" completes
    And the engines will <do> after 7 tokens
    When I post and follow a task called "disturbed" with
      | prompt | "tell me" |
      | seed   | 1         |
    Then the stream of task "disturbed" is whole
    And task "disturbed" says the same as task "undisturbed"
    And task "disturbed" has
      | state    | completed |
      | attempts | > 1       |

    Examples:
      | does                  | do                 |
      | drops the connection  | drop the connection |
      | ends without an end   | end without an end |
      | speaks garbage        | speak garbage      |
      | reports an error      | report an error    |
      | falls silent          | stall              |

  @ORCH-2006 @OC-CORE-1027
  Scenario Outline: A best-effort task whose engine <does> ends with <code>
    Given the engines will <do> after 7 tokens
    When I post and follow a task with
      | determinism | best_effort |
    Then the stream ends with <code>
    And I was shown 7 tokens
    And the task fails with <code>
    And the last event of the stream has
      | engine    | llamacpp |

    Examples:
      | does                 | do                  | code           |
      | drops the connection | drop the connection | WORKER_RESET   |
      | falls silent         | stall               | DECODE_TIMEOUT |

  @OC-CORE-1027
  Scenario: A best-effort task that nobody has seen anything of runs elsewhere
    Given the engines will drop the connection after 0 tokens
    When I post and follow a task with
      | determinism | best_effort |
    Then the stream is whole
    And the task completes

  @OC-CORE-1027 @ORCH-3025
  Scenario: Engines that fail every time are not tried for ever
    Given the engines will drop the connection after 3 tokens, 3 times
    When I post and follow a task
    Then the stream ends with WORKER_RESET
    And I was shown 3 tokens
