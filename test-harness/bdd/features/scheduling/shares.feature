@ORCH-3075
Feature: Tenants share a pool by their weights

  Background:
    Given a pool of 1 engine with 1 slot
    And the daemon is configured with
      """
      tenants: [{ id: acme }, { id: globex }]
      """
    And the keys
      | key    | tenant | scopes                  |
      | acme   | acme   | tasks:write, tasks:read |
      | globex | globex | tasks:write, tasks:read |

  @OC-CORE-1050
  Scenario: A tenant with a long queue does not keep another one waiting for all of it
    Given I use the key "acme"
    And every slot is taken
    And I post 30 batch tasks
    When I use the key "globex"
    And I post a batch task called "newcomer"
    And the slots come free
    Then all tasks complete
    And task "newcomer" ran before task "30"

  @ORCH-3076 @OC-METRICS-7121
  Scenario: The share that each tenant got is exported
    Given I use the key "acme"
    And I post and follow a task
    And I use the key "globex"
    And I post and follow a task
    Then the metrics say
      | name            | labels                                  | value  |
      | admission_share | tenant="acme", priority="interactive"   | 0 to 1 |
      | admission_share | tenant="globex", priority="interactive" | 0 to 1 |
