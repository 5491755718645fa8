Feature: Engines that come and go
  The daemon looks after the engines it starts, and takes work to none that has not shown it can do it.

  @ORCH-3038 @OC-POOL-3010 @OC-POOL-3015 @ORCH-3028
  Scenario: A killed engine is replaced, and its task goes on elsewhere
    Given a pool of 2 engines that the daemon starts
    And engines that say 150 tokens, 5 ms apart
    And I post and follow a task with
      | seed | 3 |
    And I have been shown 5 tokens
    When the engine of the task is killed
    Then the stream is whole
    And the task completes
    And 2 engines are ready, one of them new
    And the metrics say
      | name                   | labels             | value |
      | replica_restarts_total | pool_id="default"  | 1     |

  @ORCH-3001 @OC-POOL-3022
  Scenario: Engines do not outlive a daemon that is killed
    Given a pool of 2 engines that the daemon starts
    When the daemon is killed
    Then its engines are gone

  @OC-CTRL-2070 @OC-CTRL-2073
  Scenario: A clean stop says goodbye
    Given a pool of 1 engine with 1 slot
    And the daemon has said where it listens
    When the daemon is stopped
    Then it exits with 0
    And it no longer says where it listens

  @OC-CTRL-2071
  Scenario: A stop lets running streams finish and keeps what waits for the next start
    Given a pool of 1 engine with 1 slot
    And engines that say 150 tokens, 5 ms apart
    And the daemon is configured with
      """
      server: { shutdown_grace_ms: 60000 }
      """
    And I post and follow a task called "running"
    And I have been shown 5 tokens
    And I post a task called "waiting"
    When the daemon is told to stop
    Then new tasks are refused with 503 POOL_UNREADY
    And the stream of task "running" is whole
    And it exits with 0
    When the daemon starts again
    Then task "waiting" completes

  @OC-CORE-1121 @OC-POOL-3034
  Scenario: Models that share a device are loaded in turn, when tasks ask for them
    Given a pool "alpha" of 1 engine that the daemon starts when it is asked for
    And a pool "beta" of 1 engine that the daemon starts when it is asked for
    Then no model is loaded
    When I post a task with
      | model_ref | alpha |
    Then the task completes
    And only "alpha" is loaded
    When I post a task with
      | model_ref | beta |
    Then the task completes
    And only "beta" is loaded
    And the task explains that it waited because "model-not-loaded"
