@own-daemon
Feature: Hosts with engines of their own
  pool-managerd runs where the GPUs are, and registers what it has.

  Background:
    Given a pool whose engines are on hosts

  @OC-POOL-3101 @ORCH-2103
  Scenario: A host registers, serves and takes leave
    When host "gpu-a" registers with 2 engines
    Then the hosts are
      | host_id | overdue |
      | gpu-a   | false   |
    When I post and follow a task
    Then the stream is whole
    And the task has
      | replica.replica_id | /^gpu-a\.default-[01]$/ |
    When host "gpu-a" is stopped
    Then there are no hosts

  @OC-POOL-3142 @ORCH-3051
  Scenario: A host dies in the middle of a stream, and its successor goes on with it
    Given engines that say 150 tokens, 8 ms apart
    And host "gpu-a" registers with 1 engine
    And I post and follow a task with
      | seed | 3 |
    And I have been shown 5 tokens
    When host "gpu-a" is killed and starts again
    Then the stream is whole
    And the task completes

  @OC-POOL-3101 @ORCH-3035
  Scenario: A host without a key of its own is not let in
    Given the keys
      | key      | tenant  | scopes       |
      | operator | default | control:read |
    When host "gpu-a" tries to register with 1 engine
    Then host "gpu-a" is refused with UNAUTHORIZED
    And there are no hosts
