"""Progress of long work, on standard error: a line that is written over in a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
import time
from typing import Final, Self

_EVERY_S: Final = 0.1


class Progress:
    """One line that says how far the work is."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._shown_at = 0.0
        self._terminal = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Show this instead of what was shown, unless that was a moment ago."""
        now = time.monotonic()
        if self._terminal and now - self._shown_at >= _EVERY_S:
            self._shown_at = now
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._terminal and self._shown_at:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
