Feature: A step that nobody has defined

  Scenario: One of them is enough
    When the daemon sings a song
