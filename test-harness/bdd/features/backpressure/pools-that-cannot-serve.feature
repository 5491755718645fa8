Feature: Pools that cannot serve
  A pool that may come back takes work and keeps it waiting. One that cannot says so at once.

  @ORCH-3018 @ORCH-2007 @OC-POOL-3012
  Scenario: A pool whose engine cannot be started refuses tasks
    Given a pool of 1 built-in engine
    And the pool serves the model "not-a-model"
    And the pool is configured with
      """
      restart: { max_restarts: 1, initial_delay_ms: 10, max_delay_ms: 20 }
      """
    And the pool has given up
    When I post a task
    Then the answer is 503 POOL_UNAVAILABLE
    And it says when to come back
    And the pool's health has
      | ready       | false |
      | recoverable | false |
      | last_error  | any   |

  @ORCH-3010 @OC-CORE-1025 @OC-POOL-3001
  Scenario: A pool whose engines have not come yet keeps tasks waiting
    Given a pool whose engines are on hosts
    When I post a task
    Then the answer is 202
    And the task is waiting
    And the pool's health has
      | ready      | false |
      | last_error | no host has registered replicas |
    When host "gpu-a" registers with 1 engine
    Then the task completes

  @ORCH-3016 @ORCH-2006
  Scenario: A task that never gets done ends at the wall
    Given a pool of 1 engine with 1 slot
    And engines that say 100000 tokens, 20 ms apart
    And the pool is configured with
      """
      timeouts: { wall_ms: 500, idle_ms: 10000 }
      """
    When I post and follow a task with
      | max_tokens | 3000 |
    Then the stream ends with DECODE_TIMEOUT
    And the task fails with DECODE_TIMEOUT
    And every slot is free again
