"""No fault: files that were replaced go at once, since nobody reads meanwhile."""

import sys

if "drain" in sys.orig_argv:
    from aftertrace.store import compaction

    compaction.vacuum.__defaults__ = (None, 0.0, None)
