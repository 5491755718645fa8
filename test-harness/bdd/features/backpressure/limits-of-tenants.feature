Feature: Limits of tenants
  A tenant that asks too much, or too fast, holds back nobody but itself.

  Background:
    Given a pool of 1 engine with 2 slots
    And the daemon is configured with
      """
      tenants:
        - { id: eager, rps: 0.001, burst: 2 }
        - { id: narrow, max_concurrent: 1 }
        - { id: plain }
      """
    And the keys
      | key     | tenant | scopes                  |
      | eager   | eager  | tasks:write, tasks:read |
      | narrow  | narrow | tasks:write, tasks:read |
      | plain   | plain  | tasks:write, tasks:read |

  @ORCH-3006 @OC-CTRL-2046 @ORCH-2007
  Scenario: A tenant is refused beyond its burst, before its request is read
    Given I use the key "eager"
    And I post a task
    And I post the body
      """
      not even JSON
      """
    When I post the body
      """
      not even JSON
      """
    Then the answer is 429 RATE_LIMITED
    And it says when to come back
    And the answer has
      | policy_label   | rate-limit        |
      | retry_after_ms | 900000 to 1000000 |
    When I use the key "plain"
    And I post a task
    Then the answer is 202

  @ORCH-3036 @ORCH-3077 @OC-CORE-1055
  Scenario: A tenant runs no more tasks at once than it may, and the others wait for no one
    Given the engines will stall after 1 token
    And I use the key "narrow"
    And I post and follow a task called "running"
    And I have been shown 1 token
    When I post a task called "second"
    Then task "second" is waiting
    And task "second" explains that it waits because "tenant-limit"
    When I use the key "plain"
    And I post a task called "other tenant"
    Then task "other tenant" completes

  @OC-CTRL-2045
  Scenario Outline: A tenant can read its own limits
    Given I use the key "<key>"
    When I ask for "/v1/capabilities"
    Then the answer has
      | engines.0.rate_limits | <limits> |

    Examples:
      | key    | limits                                     |
      | eager  | {"requests_per_second": 0.001, "burst": 2} |
      | narrow | {"max_concurrent": 1}                      |
      | plain  | {}                                         |
