"""No fault of ours: the clock of the system, as Python tells it, is off by as many seconds as the file CLOCK says now.

Timers go by the monotonic clock, which nothing moves; so does what waits here.
"""

import os
import time
from pathlib import Path

_offset = Path(os.environ["CLOCK"])
_time_ns = time.time_ns


def _moved_ns() -> int:
    """The time, and what it is off by."""
    return _time_ns() + int(_offset.read_text() or "0") * 10**9


time.time_ns = _moved_ns
time.time = lambda: _moved_ns() / 1e9
