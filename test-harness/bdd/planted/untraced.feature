Feature: Scenarios that show no requirement

  Scenario: No tag
    When I start a daemon with the configuration
      """
      pools: []
      """
    Then it refuses to start and names "/pools"
