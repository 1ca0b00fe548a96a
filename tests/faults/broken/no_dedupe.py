"""Negative control: the drain takes every resend for something new."""

import sys
from collections.abc import Mapping, Sequence
from datetime import date

if "drain" in sys.orig_argv:
    from aftertrace.ingest.duplicates import DuplicateWindow
    from aftertrace.ingest.places import Place
    from aftertrace.ingest.same_ids import Related, SameIds, Told
    from aftertrace.ingest.tellings import Telling

    def _all_new(
        self: DuplicateWindow, day: date, keys: Sequence[bytes], places: Sequence[Place], tenants: Sequence[str | None]
    ) -> list[Place | None]:
        """No record was ever seen before."""
        return [None] * len(keys)

    def _none_alike(
        self: SameIds, day: date, told: Sequence[Told], unstored: Mapping[Place, Telling]
    ) -> list[Related | None]:
        """No id was ever seen before."""
        return [None] * len(told)

    DuplicateWindow.first_copies = _all_new
    SameIds.relate = _none_alike
