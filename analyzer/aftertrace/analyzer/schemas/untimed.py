"""Times that only order: of logs that hold none, whose messages are numbered in nanoseconds since 1970.

Numbers do not come between real times: within one moment they are nanoseconds apart.
"""

from __future__ import annotations

from typing import Final

import polars as pl

ORDER_ONLY_NS: Final = 24 * 3600 * 10**9
"""Times before this are places in a log: nothing was recorded on the first of January 1970."""
ONE_MOMENT_NS: Final = 1_000
"""Events that are less than this apart were told together: nothing is known of how much time passed between them."""


def timed(column: str) -> pl.Expr:
    """A time in nanoseconds; null where it only orders."""
    return pl.when(pl.col(column) >= ORDER_ONLY_NS).then(column).alias(column)
