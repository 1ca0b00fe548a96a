"""Semantic conventions of agents: registry, constants, and an instrumentation API on `opentelemetry-api` alone."""
