Feature: Sessions
  A conversation keeps its place: the engine that holds its KV takes its next turn.

  Background:
    Given a pool of 2 built-in engines
    And the daemon is configured with
      """
      sessions: { ttl_ms: 60000, max_turns: 3 }
      """

  @ORCH-2004 @ORCH-3009
  Scenario: The second turn runs warm, on the replica of the first
    When I take a turn in the session
    Then the turn ran cold
    When I take a turn in the session
    Then the turn ran warm, on the replica of the one before
    And the session has
      | turns            | 2          |
      | max_turns        | 3          |
      | kv_warmth        | true       |
      | kv_bytes         | > 0        |
      | tokens_total     | > 16       |
      | ttl_ms_remaining | 0 to 60000 |

  @ORCH-3045
  Scenario: A turn may ask to run cold, and says the same
    Given I take a turn in the session called "warm"
    When I take a turn in the session called "cold" with
      | kv_hint | cold |
    Then the turn ran cold
    And task "cold" says the same as task "warm"

  @ORCH-3021 @OC-CORE-1016
  Scenario: A turn beyond the last one starts the session afresh
    Given I take 3 turns in the session
    When I take a turn in the session
    Then the turn ran cold
    And the session has
      | turns | 1 |

  @ORCH-3021 @OC-CORE-1016
  Scenario: A session ends when its time is over
    Given the daemon is configured with
      """
      sessions: { ttl_ms: 1000 }
      """
    And I take a turn in the session
    When the session's time is over
    And I take a turn in the session
    Then the turn ran cold

  @ORCH-2005
  Scenario: A deleted session is gone, and its next turn runs cold
    Given I take a turn in the session
    When I delete the session
    Then the answer is 204
    And the session is gone
    When I delete the session
    Then the answer is 404 NOT_FOUND
    When I take a turn in the session
    Then the turn ran cold
    And the task has
      | usage.cached_tokens | 0 |

  @ORCH-3009 @OC-CORE-1017
  Scenario: A session whose engine dies goes on cold
    Given I take a turn in the session
    When the engines are killed
    Then the session loses its warmth
    When I take a turn in the session
    Then the turn ran cold
    And the session has
      | turns     | 2    |
      | kv_warmth | true |

  @OC-CORE-1031 @OC-CORE-1032
  Scenario: A session survives a restart of the daemon, without its warmth
    Given I take 2 turns in the session
    When the daemon is killed and starts again
    Then the session has
      | turns     | 2     |
      | kv_warmth | false |
