Feature: Tasks
  A client posts a task over HTTP, and from then on it is the daemon's to finish.

  Background:
    Given a pool of 1 engine with 2 slots
    And the pool is configured with
      """
      model: { id: sim, aliases: [latest] }
      workloads: [completion, embedding, rerank]
      """

  @ORCH-2001
  Scenario: A prompt alone is a valid task
    When I post the body
      """
      {"prompt":"Write a haiku about rain."}
      """
    Then the answer is 202
    And the answer has
      | queue_position     | 0 |
      | backoff_ms         | 0 |
      | predicted_start_ms | 0 |
    And the task completes
    And the task has
      | workload      | completion |
      | priority      | interactive |
      | attempts      | 1          |
      | finish_reason | stop       |
      | result.text   | any        |

  @ORCH-2001 @ORCH-2002 @OC-CTRL-2020
  Scenario: One request posts a task and streams its answer
    When I post and follow a task
    Then the stream is whole
    And the stream shows started, then tokens, then metrics, then end
    And the stream says the same as the record of the task

  @ORCH-2001
  Scenario Outline: A task may end before the model does: <how>
    When I post and follow a task with
      | prompt  | "What do engines say?" |
      | seed    | 5                      |
      | <field> | <value>                |
    Then the stream is whole
    And the task has
      | finish_reason    | <reason> |
      | usage.tokens_out | <tokens> |

    Examples:
      | how               | field      | value | reason | tokens |
      | by its own length | max_tokens | 100   | stop   | 12     |
      | at its bound      | max_tokens | 4     | length | 4      |

  @ORCH-2001 @OC-CTRL-2090
  Scenario Outline: A task of the workload <workload>
    When I post and follow a task with
      | workload | <workload> |
      | <field>  | <value>    |
      | <more>   | <other>    |
    Then the stream shows started, then end
    And the task has
      | workload         | <workload> |
      | usage.tokens_out | 0          |
      | result.<result>  | any        |

    Examples:
      | workload  | field  | value             | more      | other                      | result           |
      | embedding | inputs | ["one", "two"]    | priority  | "batch"                    | embeddings.1.0   |
      | rerank    | query  | "rain"            | documents | ["a dry day", "some rain"] | ranking.0.index  |

  @ORCH-2001
  Scenario: Messages are wrapped as the model wants them
    When I post and follow a task with
      | messages | [{"role": "user", "content": "Tell me of queues."}] |
    Then the stream is whole
    And the task has
      | usage.tokens_in | > 18 |

  @ORCH-2001 @ORCH-2008
  Scenario Outline: A task finds its pool by <what>
    When I post a task with
      | <field> | <value> |
    Then the answer is <answer>

    Examples:
      | what                    | field     | value    | answer        |
      | the model's id          | model_ref | sim      | 202           |
      | an alias of the model   | model_ref | latest   | 202           |
      | the engine              | engine    | llamacpp | 202           |
      | a model nobody serves   | model_ref | gpt-9    | 404 NOT_FOUND |
      | an engine nobody runs   | engine    | triton   | 404 NOT_FOUND |
      | an engine nobody makes  | engine    | abacus   | 400 INVALID_PARAMS |

  @ORCH-2001
  Scenario: Tasks are listed, newest first, by what is asked for
    Given I post a task called "first"
    And I post a batch task called "second"
    And I post a batch task called "third"
    And all tasks complete
    When I list the tasks with
      | priority | batch     |
      | state    | completed |
    Then the list begins with "third", "second"

  @OC-LEDGER-2217 @own-daemon
  Scenario: A task that is no longer kept is gone, which is not the same as unknown
    Given the daemon is configured with
      """
      retention: { max_age_ms: 1000 }
      """
    And I post and follow a task
    When the task is swept
    And I ask for "/v1/tasks/{task}/stream"
    Then the answer is 410 NOT_FOUND
    When I ask for "/v1/tasks/{another id}/stream"
    Then the answer is 404 NOT_FOUND
