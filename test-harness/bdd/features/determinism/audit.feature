Feature: Replicas are audited in idle moments
  A share of the finished strict tasks runs again on another replica of the set. Whoever posted them has nothing
  to do with it.

  Background:
    Given a pool of 2 engines with 1 slot each
    And the pool is configured with
      """
      audit: { share: 1, max_per_minute: 600 }
      """

  @OC-CTRL-2150 @OC-CTRL-2153 @OC-METRICS-7128
  Scenario: A sound replica matches, and only its own task is counted
    Given I have read the metrics
    When I post and follow a task
    Then these metrics have grown
      | name                     | labels                     | by |
      | determinism_audits_total | outcome="match", reason="" | 1  |
      | tasks_enqueued_total     |                            | 1  |
      | tasks_started_total      |                            | 1  |
      | tasks_completed_total    |                            | 1  |
    And the metrics say
      | name             | labels                 | value |
      | replica_drifting | replica_id="default-0" | 0     |
      | replica_drifting | replica_id="default-1" | 0     |
    And the pool's health has
      | replicas.0.determinism.drifted   | 0     |
      | replicas.1.determinism.suspected | false |
      | metrics.running                  | 0     |
