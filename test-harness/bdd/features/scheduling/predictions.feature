Feature: Every task is told when it will start, and can be asked why it waited

  Background:
    Given a pool of 1 engine with 1 slot

  @ORCH-3029 @OC-CORE-1018
  Scenario: A task that has to wait is told its place and its start
    Given every slot is taken
    And I post a task
    When I post a task
    Then the answer has
      | queue_position           | > 0  |
      | predicted_start_ms       | ≥ 0  |
      | predicted_first_token_ms | ≥ 0  |
      | predicted_interval_ms.1  | ≥ 0  |

  @ORCH-3029 @OC-CTRL-2016
  Scenario: What was promised is repeated digit for digit
    Given every slot is taken
    And I post a task with
      | deadline_ms | 600000 |
    When I note the promise
    And the daemon is killed and starts again
    Then the task still carries the promise
    And the task completes
    And the task still carries the promise

  @OC-CTRL-2080
  Scenario: A task that ran at once tells a short story
    When I post and follow a task with
      | deadline_ms | 600000 |
    Then the task explains itself
      | kind        | summary                |
      | accepted    | any                    |
      | dispatched  | /attempt 1 goes to default-0/ |
      | first-token | /after admission/      |
      | ended       | any                    |

  @OC-CTRL-2080 @OC-CORE-1074
  Scenario: A task that waits says for what, and who is before it
    Given every slot is taken
    And I post a task called "ahead"
    When I post a task called "asking"
    Then task "asking" explains that it waits because "no-free-slot"
    And task "asking" explains itself
      | kind     | summary                                      |
      | accepted | any                                          |
      | waiting  | /1 waiting task ahead: all slots are busy/ |

  @OC-CTRL-2080 @OC-CORE-1070 @OC-CORE-1071
  Scenario: After the wait it says what it waited for, and who ran first
    Given every slot is taken
    And I post a task called "ahead" with
      | deadline_ms | 600000 |
    And I post a task called "asking" with
      | deadline_ms | 600000 |
    And task "asking" has waited
    When the slots come free
    And task "asking" completes
    Then task "asking" explains itself
      | kind        | summary                                                    |
      | accepted    | any                                                        |
      | waited      | /all slots were busy for .*; 1 (earlier\|more urgent) task ran first/     |
      | dispatched  | any                                                        |
      | first-token | any                                                        |
      | ended       | any                                                        |

  @OC-CTRL-2080
  Scenario: A task that was tried twice says what went wrong
    Given the engines will refuse with 503
    When I post and follow a task
    Then the story of the task contains in order
      | kind       | reason |
      | dispatched |        |
      | requeued   | fault  |
      | dispatched |        |
      | ended      |        |
