"""Negative control: the drain takes every resend for something new."""

import sys
from collections.abc import Sequence
from datetime import date

if "drain" in sys.orig_argv:
    from aftertrace.ingest.duplicates import DuplicateWindow, Place

    def _all_new(
        self: DuplicateWindow, day: date, keys: Sequence[bytes], places: Sequence[Place]
    ) -> list[Place | None]:
        """No record was ever seen before."""
        return [None] * len(keys)

    DuplicateWindow.first_copies = _all_new
