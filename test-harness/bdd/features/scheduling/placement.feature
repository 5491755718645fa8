Feature: Where a task runs

  Background:
    Given a pool of 2 engines with 1 slot each
    And the pool is configured with
      """
      replica_labels: [{ zone: east }, { zone: west }]
      """

  @ORCH-3008 @ORCH-3091
  Scenario: Two tasks at once go to two replicas
    Given the engines will stall after 1 token
    When I post and follow a task called "one"
    And I have been shown 1 token
    And I post and follow a task called "two"
    And I have been shown 1 token
    Then tasks "one" and "two" run on different replicas

  @ORCH-3091
  Scenario Outline: A task goes where its labels say: <zone>
    When I post and follow a task with
      | placement | {"labels": {"zone": "<zone>"}} |
    Then the task has
      | replica.replica_id | <replica> |

    Examples:
      | zone | replica   |
      | east | default-0 |
      | west | default-1 |

  @ORCH-3091 @ORCH-2006
  Scenario: A task that asks for a place nobody has is refused
    When I post a task with
      | placement | {"labels": {"zone": "north"}} |
    Then the answer is 400 INVALID_PARAMS
    And the answer names "/placement/labels"
