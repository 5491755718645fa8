@ORCH-3004 @ORCH-3005
Feature: A full queue
  A pool's queue is bounded. What happens beyond the bound is the operator's choice, and is said.

  Background:
    Given a pool of 1 engine with 1 slot

  @ORCH-2007 @OC-CTRL-2011 @OC-CORE-1002
  Scenario Outline: <policy>: <arriving> work arrives at a queue full of <waiting> work and is refused
    Given a queue for 2 tasks with the policy "<policy>"
    And every slot is taken
    And I post 2 <waiting> tasks
    When I post <arriving> task
    Then the answer is 429 <code>
    And it says when to come back
    And the answer has
      | policy_label | <policy> |
      | pool_id      | default  |
      | retriable    | true     |
    And every task that was accepted is waiting

    Examples:
      | policy            | waiting     | arriving       | code                |
      | reject            | batch       | an interactive | ADMISSION_REJECT    |
      | drop-lru          | interactive | a batch        | QUEUE_FULL_DROP_LRU |
      | drop-lru          | interactive | an interactive | QUEUE_FULL_DROP_LRU |
      | shed-low-priority | batch       | a batch        | ADMISSION_REJECT    |
      | shed-low-priority | interactive | an interactive | ADMISSION_REJECT    |

  @OC-CORE-1002
  Scenario Outline: <policy>: an interactive task takes the place of the <victim> batch task
    Given a queue for 2 tasks with the policy "<policy>"
    And every slot is taken
    And I post a batch task called "oldest"
    And I post a batch task called "newest"
    When I post an interactive task called "newcomer"
    Then the answer is 202
    And task "<victim>" fails with QUEUE_FULL_DROP_LRU
    And task "<other>" is waiting
    When the slots come free
    Then task "newcomer" completes
    And task "<other>" completes

    Examples:
      | policy            | victim | other  |
      | drop-lru          | oldest | newest |
      | shed-low-priority | newest | oldest |

  @ORCH-2006
  Scenario: Who follows a task that makes room is told why it ended
    Given a queue for 2 tasks with the policy "drop-lru"
    And every slot is taken
    And I post and follow a batch task called "victim"
    And I post a batch task
    When I post an interactive task
    Then the stream of task "victim" ends with QUEUE_FULL_DROP_LRU
    And the last event of the stream of task "victim" has
      | retriable      | true |
      | retry_after_ms | > 0  |

  @OC-CORE-1001
  Scenario: A class may have a tighter bound of its own
    Given the pool is configured with
      """
      queue: { capacity: 10, batch_capacity: 1 }
      """
    And every slot is taken
    And I post a batch task
    When I post a batch task
    Then the answer is 429 ADMISSION_REJECT
    When I post an interactive task
    Then the answer is 202

  @ORCH-2007
  Scenario: A client is told to slow down before it is refused
    Given a queue for 2 tasks with the policy "reject"
    And every slot is taken
    When I post a task
    Then the answer has
      | backoff_ms | 0 |
    When I post a task
    Then the answer has
      | backoff_ms | > 0 |

  @ORCH-3004
  Scenario: A refused client is welcome when there is room again
    Given a queue for 2 tasks with the policy "reject"
    And every slot is taken
    And I post 2 tasks
    And I post a task
    And the answer is 429 ADMISSION_REJECT
    When the slots come free
    And all tasks complete
    And I post a task called "comes back"
    Then the answer is 202
    And task "comes back" completes

  @ORCH-3028
  Scenario: Operators count what was refused, and by which policy
    Given a queue for 2 tasks with the policy "shed-low-priority"
    And every slot is taken
    And I have read the metrics
    And I post 2 batch tasks
    When I post an interactive task called "kept"
    And I post a batch task called "refused"
    Then these metrics have grown
      | name                                | labels                     | by |
      | admission_backpressure_events_total | policy="shed-low-priority" | 2  |
      | tasks_rejected_total                | reason="ADMISSION_REJECT"  | 1  |
      | tasks_failed_total                  | code="QUEUE_FULL_DROP_LRU" | 1  |
