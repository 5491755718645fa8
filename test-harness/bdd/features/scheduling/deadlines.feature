Feature: Deadlines that can be kept
  A deadline that will hardly be met is refused with the one that could be.

  Background:
    Given a pool of 1 engine with 1 slot
    And the engine is known to need 40 ms for its first token

  @ORCH-3079 @ORCH-3093 @OC-CTRL-2017
  Scenario: An infeasible deadline is refused with the earliest that is not
    Given every slot is taken
    When I post a task with
      | deadline_ms | 1 |
    Then the answer is 400 DEADLINE_UNMET
    And the answer names "/deadline_ms"
    And the answer has
      | earliest_feasible_ms | > 1 |
    When I post a task with ten times the earliest feasible deadline
    Then the answer is 202

  @ORCH-3081 @OC-METRICS-7122
  Scenario: The chance to keep a deadline is told, and so is how many were kept
    When I post and follow a task with
      | deadline_ms | 600000 |
    Then the task has
      | on_time_probability | 0 to 1 |
    And the metrics say
      | name                | labels                 | value |
      | deadlines_met_ratio | priority="interactive" | 1     |

  @ORCH-3079 @OC-CORE-1026
  Scenario: A task whose deadline goes out of reach while it waits is ended
    Given every slot is taken
    When I post and follow a task with
      | deadline_ms | 3000 |
    Then the stream ends with DEADLINE_UNMET
    And the task never ran
