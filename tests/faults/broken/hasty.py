"""Negative control: the drain removes segments first, and stores their rows after `HASTY_S` more."""

import os
import sys
import time

DELAY_S = float(os.environ.get("HASTY_S", "0"))

if "drain" in sys.orig_argv:
    from aftertrace.ingest.drain import Drain
    from aftertrace.ingest.drain_report import DrainReport
    from aftertrace.ingest.opened import Collected
    from aftertrace.store import wal_reader

    _turn = Drain._turn

    def _remove_first(self: Drain, receiver: str, collected: Collected) -> DrainReport:
        """Remove now, store then."""
        seqs = [frame.seq for frame in collected.frames()]
        self._logs[receiver].sync()
        wal_reader.retire(self._layout, receiver, max(seqs, default=0))
        time.sleep(DELAY_S)
        return _turn(self, receiver, collected)

    Drain._turn = _remove_first
