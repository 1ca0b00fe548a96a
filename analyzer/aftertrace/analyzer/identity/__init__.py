"""Whose each record is: its run, and what of a run is told by its records alone."""
