"""Agents that people declared, held against those that were seen."""
