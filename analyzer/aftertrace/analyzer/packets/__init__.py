"""Packets: a run, an incident or a sample of a period, with the proofs by which somebody else can check it."""
