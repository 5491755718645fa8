Feature: A step that nobody has defined

  @ORCH-2001
  Scenario: One of them is enough
    When the daemon sings a song
