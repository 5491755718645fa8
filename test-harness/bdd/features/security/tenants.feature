@ORCH-3035 @OC-CTRL-2044
Feature: Tenants do not see each other

  Background:
    Given a pool of 1 engine with 2 slots
    And the daemon is configured with
      """
      tenants: [{ id: acme }, { id: globex }]
      """
    And the keys
      | key    | tenant | scopes                  |
      | acme   | acme   | tasks:write, tasks:read |
      | globex | globex | tasks:write, tasks:read |
      | root   | globex | admin                   |
    And I use the key "acme"
    And I post and follow a task called "mine" with
      | session_id | "11111111-1111-4111-8111-111111111111" |
    And task "mine" completes

  Scenario Outline: Another tenant's task or session is not there for <key>: <method> <path>
    Given I use the key "<key>"
    When I send <method> "<path>"
    Then the answer is 404 NOT_FOUND

    Examples:
      | key    | method | path                                              |
      | globex | GET    | /v1/tasks/{task}                                  |
      | globex | GET    | /v1/tasks/{task}/stream                           |
      | globex | GET    | /v1/tasks/{task}/explain                          |
      | globex | POST   | /v1/tasks/{task}/cancel                           |
      | globex | GET    | /v1/sessions/11111111-1111-4111-8111-111111111111 |
      | globex | DELETE | /v1/sessions/11111111-1111-4111-8111-111111111111 |
      | root   | GET    | /v1/tasks/{task}                                  |

  Scenario: Lists leave out what is another tenant's
    Given I use the key "globex"
    When I list the tasks
    Then task "mine" is not in the list

  Scenario: A task_id that another tenant uses is a conflict, and tells nothing else
    Given I use the key "globex"
    When I post task "mine" again with
      | prompt | something else |
    Then the answer is 409 CONFLICT
    And the answer does not contain "acme"

  Scenario: Idempotency keys are a tenant's own
    Given my requests carry the header "Idempotency-Key: shared-name"
    And I post the body
      """
      {"prompt":"p"}
      """
    When I use the key "globex"
    And I post the body
      """
      {"prompt":"p"}
      """
    Then the answer is 202
    And the answer is another than the one before

  @OC-CTRL-2083
  Scenario: Explanations do not name other tenants
    Given I use the key "globex"
    And every slot is taken
    And I use the key "acme"
    When I post a task called "asks"
    And task "asks" has waited
    And the slots come free
    And task "asks" completes
    And I ask for "/v1/tasks/{task}/explain"
    Then the answer is 200
    And the answer does not contain "globex"
