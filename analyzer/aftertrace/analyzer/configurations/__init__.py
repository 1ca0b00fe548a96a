"""What agents were made of, when that changed, and what moved after it."""
