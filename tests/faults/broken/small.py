"""No fault: everything small, so that a second of load fills segments, uses them again, folds and checkpoints."""

import sys
from dataclasses import fields
from typing import Any


def _defaults(options: type[Any], **changed: object) -> None:
    """Change what a dataclass has where nothing is given."""
    options.__init__.__defaults__ = tuple(changed.get(each.name, each.default) for each in fields(options))


_SEGMENT_BYTES = 64 << 10
"""Room for seven requests. So long are spares, too."""

if "serve" in sys.orig_argv:
    from aftertrace.store.wal import WalOptions

    _defaults(WalOptions, segment_bytes=_SEGMENT_BYTES)

if "drain" in sys.orig_argv:
    from aftertrace.ingest import opened
    from aftertrace.ingest.drain import DrainOptions
    from aftertrace.store import compaction, spares, tables, wal_reader

    _defaults(DrainOptions, batch_bytes=512 << 10, linger_s=0.1, fold_at=1)
    tables.CHECKPOINT_EVERY = 4
    # Enough of them in a turn that its readers have work.
    opened.STRETCH_RECORDS = 64
    # Replaced files go while the test runs, and not under its readers.
    compaction.vacuum.__defaults__ = (None, 10.0, None)
    wal_reader.retire.__defaults__ = (_SEGMENT_BYTES,)
    spares.FREE_BYTES = 12 << 20
