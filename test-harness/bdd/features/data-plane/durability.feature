Feature: Nothing accepted is lost
  The 202 is sent after the commit to disk.

  @ORCH-2001 @OC-CTRL-2013 @OC-CTRL-2070
  Scenario: Tasks that were accepted before kill -9 are finished after it
    Given a pool of 1 engine with 2 slots
    And engines that say 20 tokens, 5 ms apart
    And I post 20 tasks
    When the daemon is killed and starts again
    Then all tasks complete
    And the engines have answered each of them

  @ORCH-2001 @OC-CTRL-2070
  Scenario: A task that was running runs again, and the one behind it after it
    Given a pool of 1 engine with 1 slot
    And every slot is taken
    And I post a task called "behind"
    When the daemon is killed and starts again
    Then all tasks complete

  @OC-CTRL-2070 @ORCH-3045
  Scenario: A best-effort task that was cut off in the middle is not made up
    Given a pool of 1 engine with 1 slot
    And engines that say 400 tokens, 5 ms apart
    And I post and follow a task with
      | determinism | best_effort |
    And I have been shown 20 tokens
    When the daemon is killed and starts again
    And I come back
    Then the stream ends with WORKER_RESET
    And the task fails with WORKER_RESET
