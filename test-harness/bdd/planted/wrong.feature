Feature: What is not so
  For the test of the suite itself: it has to notice.

  Background:
    Given a pool of 1 engine with 1 slot

  Scenario: A refusal that does not come
    When I post a task
    Then the answer is 429 ADMISSION_REJECT

  Scenario: An end that does not come
    When I post and follow a task
    Then the stream ends with DEADLINE_UNMET

  Scenario: What is so
    When I post and follow a task
    Then the stream is whole
    And the task completes
