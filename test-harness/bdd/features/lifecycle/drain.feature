@ORCH-2101
Feature: Draining a pool
  An operator takes a pool out of service without breaking what runs there.

  Background:
    Given a pool of 1 engine with 1 slot
    And engines that say 100 tokens, 3 ms apart

  Scenario: Running tasks finish, waiting ones wait, new ones are refused, and undrain lets all go on
    Given I post and follow a task called "running"
    And I have been shown 5 tokens
    And I post a task called "waiting"
    When I drain the pool, allowing 60000 ms
    Then the answer is 202
    And the answer has
      | draining | true |
      | running  | 1    |
    When I post a task
    Then the answer is 503 POOL_UNREADY
    And it says when to come back
    And task "running" completes
    And task "waiting" is waiting
    When I undrain the pool
    Then task "waiting" completes

  @OC-CORE-1014 @ORCH-3045
  Scenario: At the deadline a strict task goes back to the queue, and later goes on where it was
    Given I post and follow a task
    And I have been shown 5 tokens
    When I drain the pool, allowing 0 ms
    Then the task goes back to waiting
    When I undrain the pool
    Then the stream is whole
    And the task completes

  @OC-CORE-1014
  Scenario: At the deadline a best-effort task that was seen ends with a typed error
    Given I post and follow a task with
      | determinism | best_effort |
    And I have been shown 5 tokens
    When I drain the pool, allowing 0 ms
    Then the stream ends with POOL_UNREADY

  @ORCH-2103
  Scenario: A pool's health says that it drains
    When I drain the pool, allowing 1000 ms
    Then the pool's health has
      | draining | true  |
      | ready    | false |
      | live     | true  |
