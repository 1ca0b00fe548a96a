"""Runs and the agents in them, and what was lost of them."""
