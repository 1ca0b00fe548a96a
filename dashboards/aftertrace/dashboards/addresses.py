"""Addresses of pages of this dashboard: what is worth sharing stands in them, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

_NOTHING: Final[Mapping[str, str]] = {}
FROM: Final = "from"
"""What of a run's address says which list the run was opened from."""
CALL_ID: Final = "call_id"
"""What of a run's address names a call by its sender's id."""


def run_address(run_id: str, kept: Mapping[str, str] = _NOTHING) -> str:
    """Address of a run's page, on this host.

    Args:
        run_id: the run.
        kept: what the address of the list says that the run was opened from.
    """
    return f"/run?{urlencode(run_query(run_id, kept))}"


def run_query(run_id: str, kept: Mapping[str, str] = _NOTHING) -> dict[str, str]:
    """What the address of a run's page says; parameters as for `run_address`."""
    return {"run": run_id, **({FROM: urlencode(kept)} if kept else {})}


def call_query(row: Mapping[str, Any]) -> dict[str, str]:
    """What the address of a run's page says of a call, or of an approval of it: the run, and the call by its id."""
    told = {"run": row["run_id"], CALL_ID: row["tool_call_id"]}
    return {name: value for name, value in told.items() if value}


def kept_in(told: str | None) -> dict[str, str]:
    """What `FROM` of a run's address says of the list, by name."""
    return dict(parse_qsl(told or ""))
