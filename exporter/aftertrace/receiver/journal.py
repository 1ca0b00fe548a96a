"""What a receiver logs of requests that it refused: never their content, and never so much that it fills a disk."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aftertrace.store.errors import AftertraceError, Forbidden

if TYPE_CHECKING:
    from aftertrace.receiver.status import Refusal
    from aftertrace.store.request import Signal

_PAUSE_S: Final = 5.0
"""Between two lines of the same kind; those between are counted."""

_log = logging.getLogger("aftertrace.receiver")


class Journal:
    """Logs refusals. Safe to use from any thread."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Nothing was logged yet."""
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._told: dict[tuple[str, int], tuple[float, int]] = {}

    def refused(self, signal: Signal, source: str, answer: Refusal, error: Exception) -> None:
        """Log what somebody may have to look at: defects, what a sender has to send again, and what it may not send."""
        defect = not isinstance(error, AftertraceError)
        if not defect and answer.retry_after_s is None and not isinstance(error, Forbidden):
            return
        skipped = self._turn(source, answer.http_status)
        if skipped is None:
            return
        more = f" ({skipped} more like it since the last such line)" if skipped else ""
        if defect:
            _log.error("take %s request of %s: a defect, please report it: %s%s", signal, source, _where(error), more)
        else:
            _log.warning(
                "take %s request of %s: refused with %d: %s%s", signal, source, answer.http_status, error, more
            )

    def _turn(self, source: str, http_status: int) -> int | None:
        """How many lines were left out before this one; None if this one is left out too."""
        with self._lock:
            now_s = self._clock_s()
            last_s, skipped = self._told.get((source, http_status), (float("-inf"), 0))
            if now_s - last_s < _PAUSE_S:
                self._told[source, http_status] = (last_s, skipped + 1)
                return None
            self._told[source, http_status] = (now_s, 0)
            return skipped


def _where(error: Exception) -> str:
    """An exception by its kind and its way, without its text: that may quote what was sent."""
    frames = traceback.extract_tb(error.__traceback__)
    way = " < ".join(f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in reversed(frames))
    return f"{type(error).__name__} at {way}"
