Feature: Engines that cannot promise bytes say so

  Background:
    Given a pool "exact" of 1 engine with 1 slot
    And a pool "loose" of 1 vLLM engine with 1 slot

  @OC-CTRL-2019
  Scenario: A strict task for an engine that does not promise it is refused
    When I post a task with
      | engine      | vllm   |
      | determinism | strict |
    Then the answer is 400 INVALID_PARAMS
    And the answer names "/determinism"

  @OC-CTRL-2089
  Scenario Outline: A task that does not say is as strict as <engine> promises
    When I post and follow a task with
      | engine | <engine> |
    Then the task has
      | determinism | <determinism> |

    Examples:
      | engine   | determinism |
      | llamacpp | strict      |
      | vllm     | best_effort |

  @ORCH-3095 @OC-CTRL-2061
  Scenario: Capabilities say which is which
    When I ask for "/v1/capabilities"
    Then the answer has
      | engines.0.engine      | llamacpp |
      | engines.0.determinism | exact    |
      | engines.1.engine      | vllm     |
      | engines.1.determinism | none     |
