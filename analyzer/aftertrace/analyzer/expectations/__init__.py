"""Rules that people write about calls and runs, and what breaks them."""
