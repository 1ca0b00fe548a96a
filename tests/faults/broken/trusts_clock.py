"""Negative control: the drain goes by the clock, and passes over what was received before the newest that it stored."""

import sys
from collections.abc import Iterator

if "drain" in sys.orig_argv:
    from aftertrace.store.frame import Frame
    from aftertrace.store.wal_reader import Damage, WalReader

    _poll = WalReader.poll
    _newest_ns = 0

    def _forward_only(self: WalReader) -> Iterator[Frame | Damage]:
        """Only what is newer than all before."""
        global _newest_ns
        for item in _poll(self):
            if isinstance(item, Frame):
                if item.received_ns < _newest_ns:
                    continue
                _newest_ns = item.received_ns
            yield item

    WalReader.poll = _forward_only
