Feature: Streams that resume
  A task's output is kept as a log. A reader who was cut off comes back and gets exactly what it missed.

  Background:
    Given a pool of 1 engine with 4 slots
    And engines that say 200 tokens, 2 ms apart
    And the daemon is configured with
      """
      server: { heartbeat_ms: 100, shutdown_grace_ms: 0 }
      """

  @OC-CTRL-2021
  Scenario: A reader that is cut off again and again misses and repeats nothing
    When I post and follow a task
    And my connection breaks after 10 tokens and I come back
    And my connection breaks after 60 tokens and I come back
    And my connection breaks after 61 tokens and I come back
    Then the stream is whole
    And the stream says the same as the record of the task

  @OC-CTRL-2021
  Scenario Outline: A reader comes back after the end, having seen <seen>
    Given I post and follow a task
    And the task completes
    When I follow the task <from>
    Then I am shown <shown>

    Examples:
      | seen       | from             | shown           |
      | nothing    | from the start   | the whole stream |
      | 15 events  | after event 15   | all but the first 15 events |
      | everything | after its end    | nothing         |

  @OC-CTRL-2021 @OC-CTRL-2070
  Scenario Outline: A reader goes on where it was after the daemon was <fate>
    Given I post and follow a task
    And I have been shown 20 tokens
    When the daemon is <fate> and starts again
    And I come back
    Then the stream is whole
    And the stream says the same as the record of the task

    Examples:
      | fate                |
      | killed              |
      | stopped at once     |

  @OC-CTRL-2021
  Scenario: Ended tasks are replayed byte for byte after a restart
    Given I post and follow a task
    And the task completes
    When the daemon is killed and starts again
    And I follow the task from the start
    Then I am shown the whole stream

  @OC-CTRL-2022
  Scenario: Several readers follow one task, each joining when it likes
    When I post and follow a task
    And I have been shown 30 tokens
    And 5 more readers follow the task
    Then every reader of the task is shown the same whole stream

  @OC-CTRL-2022
  Scenario: A reader that does not read holds back nobody
    Given I post and follow a task called "unread"
    And I stop reading
    When I post and follow a task called "brisk"
    Then task "brisk" completes
    And task "unread" completes
    When I read on in the stream of task "unread"
    Then the stream of task "unread" is whole

  @OC-CTRL-2023
  Scenario: An idle stream shows that it is alive
    Given every slot is taken
    When I post and follow a task
    Then the stream carries comments while it is idle

  @ORCH-3100
  Scenario: A stream tells how things stand while it runs
    Given I post and follow a task with
      | deadline_ms | 600000 |
    Then the stream is whole
    And the last metrics of the stream have
      | tokens_out          | 200      |
      | on_time_probability | 0 to 1   |
      | queue_depth         | 0        |
      | kv_warmth           | false    |
