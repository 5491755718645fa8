Feature: Another model for a pool that works
  Operators bring in a new model, try it on a share of the traffic, and take it back in one call.

  Background:
    Given a pool of 2 engines that the daemon starts
    And the pool serves the model "haiku-v1"
    And the model "haiku-v2" is known
    And the model "forged" is known, but its file is another

  @ORCH-2102 @OC-CTRL-2003 @OC-CTRL-2009 @OC-POOL-3031 @own-daemon
  Scenario: A reload under load breaks no stream
    Given engines that say 100 tokens, 5 ms apart
    And I post and follow 4 tasks
    When I reload the pool with "haiku-v2"
    Then the answer is 202
    And the change comes to an end
    And every stream is whole
    When I post and follow a task
    Then the task was served by the model "haiku-v2"
    And the pool's health has
      | model_id            | haiku-v2 |
      | configured_model_id | haiku-v1 |

  @ORCH-2102 @ORCH-3037 @OC-POOL-3032 @OC-POOL-3035
  Scenario: A model whose file is not what it should be is not brought in
    When I reload the pool with "forged"
    Then the change comes to an end
    And the pool's health has
      | last_error | /forged was not brought in, haiku-v1 serves on/ |
    When I post and follow a task
    Then the task was served by the model "haiku-v1"

  @OC-CTRL-2003
  Scenario: A change that makes no sense is refused
    When I reload the pool with "unheard-of"
    Then the answer is 400 INVALID_PARAMS
    And the answer names "/new_model_ref"
    When I roll back
    Then the answer is 409 CONFLICT

  @ORCH-3033 @OC-POOL-3033
  Scenario: A canary takes its share, and is gone after one call
    When I start a canary of "haiku-v2" for 50 percent
    And the canary is ready
    Then sessions are served by "haiku-v1" and "haiku-v2", each by one of them
    When I roll back
    And the change comes to an end
    And I post and follow 8 tasks
    Then the last 8 tasks were served by the model "haiku-v1"

  @ORCH-3033 @OC-POOL-3033 @own-daemon
  Scenario: A canary becomes the model of the pool
    Given I start a canary of "haiku-v2" for 10 percent
    And the canary is ready
    When I promote the canary
    And the change comes to an end
    And I post and follow a task
    Then the task was served by the model "haiku-v2"
