"""What became of each call, and who let it: from the events of a run to its calls, decisions and approvals."""
