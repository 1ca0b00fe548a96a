"""The ledger: an append-only log that commits to every stored row, file and request, signed within a second."""
