Feature: Scenarios that show no requirement

  Scenario: No tag
    When I start a daemon with the configuration
      """
      pools: []
      """

  @ORCH-9999
  Scenario: A requirement that no spec states
    When I start a daemon with the configuration
      """
      pools: []
      """
