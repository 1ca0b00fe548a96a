"""Files that were imported more than once: what the later imports tell again is left out.

The store shows a record once that comes again within a day. A session file is imported again whenever it has grown,
also weeks later; since an import makes the same record of the same piece of a file each time, rows that say the same in
all but when they were received, and what came before them, are one.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_SCOPES: Final = "aftertrace.import."
"""What the names of the scopes of imported records begin with."""
_RECEIPT: Final = ("received_date", "receiver", "seq", "index", "received_ns", "flags")


def once(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of `spans` or `events` without those that an earlier import gave."""
    is_imported = pl.col("scope_name").str.starts_with(_SCOPES).fill_null(value=False)
    imported = frame.filter(is_imported)
    if not imported.height:
        return frame
    told = [name for name in frame.columns if name not in _RECEIPT]
    first = imported.sort("received_ns", "receiver", "seq", "index").unique(told, keep="first", maintain_order=True)
    return frame if first.height == imported.height else pl.concat([frame.filter(~is_imported), first])
