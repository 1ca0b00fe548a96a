"""Commentary: what people write about runs, calls and incidents, in a log of its own with a key of its own.

Nothing here reads evidence or the ledger, and neither reads this: a comment can be wrong, and changes nothing.
"""
