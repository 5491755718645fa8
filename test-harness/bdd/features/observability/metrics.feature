@ORCH-3028 @OC-CTRL-2051
Feature: Metrics that count what clients saw

  Background:
    Given a pool of 1 engine with 1 slot
    And the pool is configured with
      """
      max_attempts: 1
      """
    And I have read the metrics

  Scenario: Tasks that ended well
    When I post and follow a task
    And I post and follow a task with
      | max_tokens | 5 |
    Then these metrics have grown
      | name                         | labels                                      | by |
      | tasks_enqueued_total         | pool_id="default", priority="interactive"   | 2  |
      | tasks_started_total          | pool_id="default"                           | 2  |
      | tasks_completed_total        | finish_reason="stop"                        | 1  |
      | tasks_completed_total        | finish_reason="length"                      | 1  |
      | tokens_out_total             | replica_id="default-0"                      | 17 |
      | latency_first_token_ms_count |                                             | 2  |
      | queue_time_ms_count          |                                             | 2  |

  Scenario: A task that failed
    Given the engines will drop the connection after 4 tokens
    When I post and follow a task
    And the stream ends with WORKER_RESET
    Then these metrics have grown
      | name                  | labels              | by |
      | tasks_failed_total    | code="WORKER_RESET" | 1  |
      | tokens_out_total      |                     | 4  |
      | tasks_completed_total |                     | 0  |

  Scenario: A task that its client took back
    Given every slot is taken
    And I post a task
    When I cancel the task
    Then these metrics have grown
      | name                 | labels          | by |
      | tasks_canceled_total | reason="client" | 1  |

  Scenario: A task that was refused
    When I post the body
      """
      {"prompt":1}
      """
    Then these metrics have grown
      | name                 | labels                  | by |
      | tasks_rejected_total | reason="INVALID_PARAMS" | 1  |
      | tasks_enqueued_total |                         | 0  |

  Scenario: What waits, runs and reads is shown as it is
    Given every slot is taken
    When I post and follow a batch task
    Then the metrics say
      | name             | labels           | value |
      | queue_depth      | priority="batch" | 1     |
      | sse_streams_open |                  | > 0   |
    When I cancel the task
    Then the metrics say
      | name             | labels           | value |
      | queue_depth      | priority="batch" | 0     |

  @OC-METRICS-7101
  Scenario: The families are those of the contract
    When I post and follow a task
    Then the metrics are those of the contract, with its types
