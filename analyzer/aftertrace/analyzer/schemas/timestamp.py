"""The type of the columns that users sort and export by time."""

from __future__ import annotations

from typing import Final

import polars as pl

TIMESTAMP: Final = pl.Datetime("ns", "UTC")
"""A time in UTC, to the nanosecond."""
