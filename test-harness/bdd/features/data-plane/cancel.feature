@ORCH-2003
Feature: Cancel
  A cancel is acknowledged at once, and from then on no token of the task leaves the server.

  Background:
    Given a pool of 1 engine with 1 slot
    And engines that say 2000 tokens, 2 ms apart

  @ORCH-3017 @ORCH-3026 @OC-CTRL-2012
  Scenario: Canceling a task that runs
    Given I post and follow a task
    And I have been shown 10 tokens
    When I cancel the task
    Then the answer is 204
    And no token comes behind the acknowledgement
    And the stream ends with canceled
    And the task is canceled
    And every slot is free again

  @ORCH-3026
  Scenario: A reader that comes after a cancel is shown no token
    Given I post and follow a task
    And I have been shown 10 tokens
    When I cancel the task
    And I follow the task from the start
    Then the stream shows started, then end
    And the stream ends with canceled

  @ORCH-3017
  Scenario: Canceling a task that waits
    Given every slot is taken
    And I post and follow a task
    When I cancel the task
    Then the task is canceled
    And the task never ran

  @ORCH-2003
  Scenario: Canceling a task that has ended changes nothing
    Given I post and follow a task with
      | max_tokens | 3 |
    And the task completes
    When I cancel the task
    Then the answer is 204
    And the task has
      | state         | completed |
      | finish_reason | length    |

  @ORCH-2001
  Scenario: Leaving a stream leaves the task running
    Given I post and follow a task with
      | max_tokens | 40 |
    When I leave after 5 tokens
    Then the task completes

  @ORCH-3017
  Scenario: Leaving a stream cancels the task when that was asked for
    Given I post and follow a task that ends when I leave
    When I leave after 5 tokens
    Then the task is canceled
    And every slot is free again
