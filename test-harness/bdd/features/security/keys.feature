@ORCH-3035 @OC-CTRL-2040
Feature: Keys and scopes
  With keys configured every request needs one, and a key may do what its scopes say.

  Background:
    Given a pool of 1 engine with 1 slot
    And the keys
      | key      | tenant  | scopes                      |
      | client   | default | tasks:write, tasks:read     |
      | reader   | default | tasks:read                  |
      | watcher  | default | control:read                |
      | operator | default | control:read, control:write |
      | root     | default | admin                       |

  Scenario Outline: <who> is not let in
    Given I use <key>
    When I post a task
    Then the answer is 401 UNAUTHORIZED
    And its header "WWW-Authenticate" matches "^Bearer"

    Examples:
      | who                                | key                      |
      | Somebody without a key             | no key                   |
      | Somebody with a key nobody issued  | a key that nobody issued |

  Scenario Outline: <key> may <method> <path>: <answer>
    Given I use the key "<key>"
    When I send <method> "<path>"
    Then the answer is <answer>

    Examples:
      | key      | method | path                    | answer        |
      | client   | GET    | /v1/tasks               | 200           |
      | client   | GET    | /v1/pools               | 403 FORBIDDEN |
      | reader   | GET    | /v1/tasks               | 200           |
      | watcher  | GET    | /v1/tasks               | 403 FORBIDDEN |
      | watcher  | GET    | /metrics                | 200           |
      | watcher  | POST   | /v1/pools/default/undrain | 403 FORBIDDEN |
      | operator | POST   | /v1/pools/default/undrain | 202         |
      | operator | GET    | /v1/events              | 403 FORBIDDEN |
      | root     | GET    | /v1/events              | 200           |
      | reader   | GET    | /v1/capabilities        | 200           |

  Scenario: A refusal names the scope that is missing
    Given I use the key "reader"
    When I post a task
    Then the answer is 403 FORBIDDEN
    And its header "WWW-Authenticate" matches "scope=.tasks:write."
    And the answer contains "tasks:write"

  @OC-CTRL-2050 @ORCH-3044
  Scenario Outline: <path> is open to everyone
    Given I use no key
    When I send GET "<path>"
    Then the answer is 200

    Examples:
      | path               |
      | /healthz           |
      | /readyz            |
      | /openapi/data.yaml |

  @OC-CTRL-2042
  Scenario: A long body without a key is refused before it was sent
    Given I use no key
    When I announce a task of 50 MB and send nothing of it
    Then the answer is 401 UNAUTHORIZED
