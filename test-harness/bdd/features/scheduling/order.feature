Feature: Whose turn it is
  Interactive work goes before batch work, and the task that has to start soonest goes first.

  Background:
    Given a pool of 1 engine with 1 slot

  @ORCH-3085 @OC-CORE-1004
  Scenario: An interactive task passes batch work that came earlier
    Given every slot is taken
    And I post a batch task called "older"
    When I post an interactive task called "newer"
    And the slots come free
    Then all tasks complete
    And task "newer" ran before task "older"

  @ORCH-3004 @OC-CORE-1003
  Scenario: Tasks alike go in order of arrival
    Given every slot is taken
    And I post a task called "first" with
      | deadline_ms | 600000 |
    And I post a task called "second" with
      | deadline_ms | 600000 |
    And I post a task called "third" with
      | deadline_ms | 600000 |
    When the slots come free
    Then all tasks complete
    And task "first" ran before task "second"
    And task "second" ran before task "third"

  @ORCH-3079 @OC-CORE-1052
  Scenario: Of two tasks the one with the nearer deadline goes first
    Given every slot is taken
    And I post a task called "in an hour" with
      | deadline_ms | 3600000 |
    When I post a task called "in a minute" with
      | deadline_ms | 60000 |
    And the slots come free
    Then all tasks complete
    And task "in a minute" ran before task "in an hour"

  @ORCH-3086 @ORCH-3087 @OC-CTRL-2018
  Scenario: A batch task is stopped for an interactive one, and goes on byte for byte
    Given engines that say 200 tokens, 4 ms apart
    And the pool is configured with
      """
      scheduling: { preemption: hard }
      """
    And I post and follow a batch task called "undisturbed" with
      | prompt | "a long story" |
      | seed   | 11             |
    And task "undisturbed" completes
    And I have read the metrics
    And I post and follow a batch task called "story" with
      | prompt | "a long story" |
      | seed   | 11             |
    And I have been shown 40 tokens
    When I post and follow an interactive task called "quick" with
      | max_tokens | 5 |
    Then task "quick" completes
    And task "story" completes
    And the stream of task "story" is whole
    And task "story" says the same as task "undisturbed"
    And task "story" has
      | usage.preemptions | 1 |
    And these metrics have grown
      | name               | labels      | by |
      | preemptions_total  | mode="hard" | 1  |
      | resumptions_total  |             | 1  |
