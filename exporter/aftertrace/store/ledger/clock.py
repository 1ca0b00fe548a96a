"""Whether this machine's clock can be believed when it says that a term is over.

A clock that jumped years ahead would make everything over at once. Records vouch for it: they came in day by day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final

from msgspec import UnsetType

AHEAD_DAYS: Final = 31
"""So many days may lie between days on which anything was received, and behind the last."""
SINCE_DAYS: Final = 7
"""After more of them, records have to have come in for so long."""


def refusal(said: str | UnsetType, days: Iterable[date], acted_ns: int, now_ns: int) -> str | None:
    """Why nothing is destroyed by this clock; None where it is believed, or a person has `said` that it is the day.

    Args:
        said: `YYYY-MM-DD`, in UTC.
        days: as of `doubt`.
        acted_ns: the same.
        now_ns: the same.
    """
    if said == datetime.fromtimestamp(now_ns / 1e9, UTC).date().isoformat():
        return None
    found = doubt(days, acted_ns, now_ns)
    return None if found is None else f"{found}; set the clock, or say that it is right: --today DATE"


def doubt(days: Iterable[date], acted_ns: int, now_ns: int) -> str | None:
    """What speaks against the clock; None where nothing does.

    Args:
        days: on which anything that is stored was received, in UTC.
        acted_ns: when the newest act was entered.
        now_ns: what the clock says.
    """
    today, known = datetime.fromtimestamp(now_ns / 1e9, UTC).date(), sorted(set(days))
    if now_ns < acted_ns:
        return f"the clock says {today}, and an act was entered at {datetime.fromtimestamp(acted_ns / 1e9, UTC)}"
    if not known:
        return None
    if today < known[-1]:
        return f"the clock says {today}, and records were received on {known[-1]}"
    if (today - known[-1]).days > AHEAD_DAYS:
        return f"the clock says {today}, and the newest record was received on {known[-1]}"
    jumps = [(before, after) for before, after in pairwise(known) if (after - before).days > AHEAD_DAYS]
    if jumps and (today - jumps[-1][1]).days < SINCE_DAYS:
        return f"the clock says {today}, and between {jumps[-1][0]} and {jumps[-1][1]} nothing was received"
    return None
