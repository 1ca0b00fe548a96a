"""Runs, calls, near misses, approvals and configurations, from what is stored."""
