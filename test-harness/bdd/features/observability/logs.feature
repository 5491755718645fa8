@ORCH-3027
Feature: Logs that can be followed

  Background:
    Given a pool of 1 engine with 1 slot

  @OC-CTRL-2052
  Scenario: Every line about a task carries the correlation id of its request
    Given my requests carry the header "X-Correlation-Id: who-was-it"
    When I post and follow a task
    And the task completes
    Then the log says of the task
      | msg            | correlation_id | priority    |
      | task accepted  | who-was-it     | interactive |
      | task completed | who-was-it     | interactive |

  @ORCH-3029
  Scenario: The line of an admission says what was promised
    Given every slot is taken
    When I post a task with
      | deadline_ms | 600000 |
    Then the log says of the task
      | msg           | queue_position | predicted_start_ms | on_time_probability |
      | task accepted | 1              | ≥ 0                | 0 to 1              |

  @OC-CTRL-2052
  Scenario Outline: A correlation id is <what>
    Given my requests carry the header "X-Correlation-Id: <id>"
    When I send GET "/healthz"
    Then its header "X-Correlation-Id" matches "<echo>"

    Examples:
      | what                            | id       | echo             |
      | taken when it is well formed    | abc-123  | ^abc-123$        |
      | replaced when it is not         | a b      | ^[0-9a-f-]{36}$  |

  Scenario: A failure is said with its code
    Given the engines will drop the connection after 2 tokens
    When I post and follow a task with
      | determinism | best_effort |
    And the stream ends with WORKER_RESET
    Then the log says of the task
      | msg           | code         | pool_id |
      | task accepted | any or none  | default |
      | task failed   | WORKER_RESET | default |
