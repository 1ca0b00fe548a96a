"""Tables that are kept: told once of runs that are over, so that a question reads what came since."""
