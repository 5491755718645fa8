@ORCH-3030
Feature: A configuration that is wrong
  The daemon does not start on it, and says where it is wrong.

  Scenario Outline: <fault>
    When I start a daemon with the configuration
      """
      <configuration>
      """
    Then it refuses to start and names "<place>"

    Examples:
      | fault                         | configuration                                                                 | place                  |
      | An unknown key                | {pools: [{id: a, model: {id: m, path: m}}], sever: {}}                                 | /sever                 |
      | An unknown key of a pool      | {pools: [{id: a, model: {id: m, path: m}, slotz: 1}]}                                  | /pools/0/slotz         |
      | An unknown policy             | {pools: [{id: a, model: {id: m, path: m}, queue: {full_policy: maybe}}]}               | /pools/0/queue/full_policy |
      | An engine nowhere             | {pools: [{id: a, model: {id: m, path: m}, launch: external}]}                          | /pools/0/endpoints     |

  @ORCH-3035 @OC-CTRL-2040
  Scenario: An open address without keys
    When I start a daemon with the configuration
      """
      server: { host: 0.0.0.0 }
      pools: [{ id: a, model: { id: m, path: m } }]
      """
    Then it refuses to start and names "/server/host"
