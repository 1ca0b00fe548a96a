"""Negative control: the drain removes segments first, and stores their rows after `HASTY_S` more."""

import os
import sys
import time

DELAY_S = float(os.environ.get("HASTY_S", "0"))

if "drain" in sys.orig_argv:
    from aftertrace.ingest.drain import Drain
    from aftertrace.ingest.drain_report import DrainReport
    from aftertrace.store import wal_reader
    from aftertrace.store.frame import Frame
    from aftertrace.store.wal_reader import Damage

    _turn = Drain._turn

    def _remove_first(self: Drain, receiver: str, found: list[Frame | Damage]) -> DrainReport:
        """Remove now, store then."""
        seqs = [item.seq for item in found if isinstance(item, Frame)]
        self._logs[receiver].sync()
        wal_reader.retire(self._layout, receiver, max(seqs, default=0))
        time.sleep(DELAY_S)
        return _turn(self, receiver, found)

    Drain._turn = _remove_first
