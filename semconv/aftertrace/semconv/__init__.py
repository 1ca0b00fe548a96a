"""Semantic conventions of agents: registry, constants, and an API on `opentelemetry-api` alone."""
