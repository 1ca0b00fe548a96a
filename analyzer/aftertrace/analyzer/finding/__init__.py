"""From a thing to the runs that have to do with it."""
