@ORCH-3024
Feature: Retries that run nothing twice
  A client that got no answer posts again. Whatever happened to the first request, the task runs once.

  Background:
    Given a pool of 1 engine with 1 slot

  Scenario: The same task posted again gets the same answer
    Given I post a task
    When I post the task again
    Then the answer is the one before
    When the task completes
    And I post the task again
    Then the answer is the one before
    And the task has
      | attempts | 1 |

  Scenario: The same answer also after the daemon was killed
    Given I post a task
    And the task completes
    When the daemon is killed and starts again
    And I post the task again
    Then the answer is the one before

  Scenario: Another task under a taken id is a conflict
    Given I post a task
    When I post the task again with
      | prompt | something else |
    Then the answer is 409 CONFLICT
    And the answer has
      | retriable | false |

  Scenario: An Idempotency-Key does the same for tasks without an id
    Given my requests carry the header "Idempotency-Key: nightly-report-1"
    And I post the body
      """
      {"prompt":"once"}
      """
    When I post the body
      """
      {"prompt":"once"}
      """
    Then the answer is the one before
    When I post the body
      """
      {"prompt":"twice"}
      """
    Then the answer is 409 CONFLICT

  Scenario: Twenty impatient copies of one request run once
    When I post the same task 20 times at once
    Then all 20 answers are the same
    And the task completes
    And the events tell of one acceptance of the task
