Feature: Health, discovery and events
  Everything an operator or a probe asks answers from what is true at that moment.

  Background:
    Given a pool of 2 engines with 2 slots each

  @OC-CTRL-2050
  Scenario: A serving daemon is live and ready
    When I send GET "/healthz"
    Then the answer is 200
    When I send GET "/readyz"
    Then the answer has
      | checks.0.name | ledger       |
      | checks.1.name | pool:default |

  @OC-CTRL-2050
  Scenario: A daemon whose engines are missing is live, but not ready, and says what is down
    Given a pool "lonely" whose engines are on hosts
    When I send GET "/healthz"
    Then the answer is 200
    When I send GET "/readyz"
    Then the answer is 503 POOL_UNREADY
    And the answer names "pool:lonely"

  @ORCH-3095 @ORCH-3096 @OC-CTRL-2060
  Scenario: Capabilities name the version of the contract and what is served
    When I ask for "/v1/capabilities"
    Then the answer has
      | api_version                   | the version of the contract |
      | engines.0.engine              | llamacpp                    |
      | engines.0.ctx_max             | 4096                        |
      | engines.0.supported_workloads | ["completion"]              |
      | engines.0.models.0.id         | sim                         |

  @ORCH-2104 @ORCH-3007 @OC-CTRL-2004
  Scenario: Replicas that are alike form one set, which shows its load
    Given the engines will stall after 1 token
    And I post and follow a task
    And I have been shown 1 token
    When I ask for "/v1/replicasets"
    Then the answer has
      | items.1                   | absent |
      | items.0.slots_total       | 4      |
      | items.0.slots_free        | 3      |
      | items.0.load              | 0.25   |
      | items.0.replicas.1.state  | ready  |

  @ORCH-2103 @OC-CTRL-2001
  Scenario: A pool's health shows its replicas and figures
    Then the pool's health has
      | live                 | true     |
      | ready                | true     |
      | draining             | false    |
      | metrics.slots_total  | 4        |
      | replicas.0.state     | ready    |
      | last_error           | absent   |

  @ORCH-3044
  Scenario Outline: The daemon serves the contract it implements: <name>
    When I ask for "/openapi/<name>.yaml"
    Then the answer is the file "contracts/openapi/<name>.yaml"

    Examples:
      | name    |
      | data    |
      | control |
      | pool    |

  @OC-LEDGER-2203 @ORCH-3027
  Scenario: Operators follow what happens, and miss nothing when they come back
    Given I watch the events
    When I post and follow a task called "one"
    Then I see events of task "one": accepted, dispatched, ended
    When I stop watching
    And I post and follow a task called "two"
    And I watch the events again
    Then I see events of task "two": accepted, dispatched, ended
    And the numbers of the events have no gap
