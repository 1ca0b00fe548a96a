"""From a call or a run to a rule that would have stopped it."""
