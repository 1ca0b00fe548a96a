"""The zone that pages tell times in: that of whoever reads them; UTC where they ask for that or it is not known.

What is counted by days (periods, steps of a chart, losses) is by days in UTC and says so, and files that leave a page
hold UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import streamlit as st

from aftertrace.analyzer.documents.document import Instant
from aftertrace.dashboards.quantities import UNKNOWN, instant

KEY: Final = "utc"
"""Key in the address: whether times are told in UTC whatever the reader's zone."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z][A-Za-z0-9_+-]*){0,2}")
_MOST_CHARACTERS: Final = 64
_NAMES_OF_UTC: Final = frozenset(("UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"))


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone, as pages name it and tell times in it."""

    name: str
    """As IANA names it: `Europe/Berlin`."""
    rules: tzinfo

    @property
    def is_utc(self) -> bool:
        """Whether times in it are told as files have them."""
        return self.rules is UTC

    @property
    def place(self) -> str:
        """Its name in the head of a column: `Berlin`."""
        return self.name.rpartition("/")[2].replace("_", " ")

    def told(self, at: Instant | None, *, has_offset: bool = True) -> str:
        """A point in time, in this zone; its offset may be left out where the zone is named above it."""
        return UNKNOWN if at is None else at.told(self.rules, has_offset=has_offset)

    def hint(self, at: Instant | None) -> str | None:
        """What whoever hovers is told beside it: the same in UTC; None where that is what stands there."""
        return None if at is None or self.is_utc else Instant(at.at).text

    def minute(self, at_ms: int) -> str:
        """A point in time to the minute, where the zone is named beside it."""
        return f"{datetime.fromtimestamp(at_ms // 1000, self.rules):%Y-%m-%d %H:%M}"

    def has_one_date(self, times: Iterable[datetime | None]) -> bool:
        """Whether all of these times are on one day of this zone."""
        return len({at.astimezone(self.rules).date() for at in times if at is not None}) < 2

    def has_one_offset(self, times: Iterable[datetime | None]) -> bool:
        """Whether the clocks of this zone are as far from UTC at one of these times as at the others."""
        return len({at.astimezone(self.rules).utcoffset() for at in times if at is not None}) < 2


IN_UTC: Final = Zone("UTC", UTC)


@lru_cache(maxsize=64)
def named(name: str | None) -> Zone | None:
    """The zone of a name; None where it names none that is known here. A browser sends whatever it likes."""
    if name in _NAMES_OF_UTC:
        return IN_UTC
    if name is None or len(name) > _MOST_CHARACTERS or _NAME.fullmatch(name) is None:
        return None
    try:
        return Zone(name, ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        # Not there; a file that is none of a zone; a folder of zones.
        return None


def chosen() -> Zone:
    """The zone of this page."""
    return (None if _is_utc_asked() else named(st.context.timezone)) or IN_UTC


def moment(when: datetime | int | None) -> str:
    """A point in time to the second, in the zone of this page: `2026-11-21 11:02:03 +01:00`. An integer is nanoseconds
    since the Unix epoch.
    """
    return chosen().told(instant(when))


def hint(when: datetime | int | None) -> str | None:
    """The same in UTC, for whoever hovers; None where that stands there."""
    return chosen().hint(instant(when))


def switch() -> None:
    """Draw in which zone times are told, and what changes that."""
    own = named(st.context.timezone)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if own is None or own.is_utc:
            why = "as in this browser" if own is not None else "this browser names no zone that is known here"
            st.caption(f"Times are in UTC, {why}.", width="content")
            return
        st.toggle("Times in UTC", key=KEY, bind="query-params")
        told = "in UTC" if _is_utc_asked() else f"in {own.name.replace('_', ' ')}, and in UTC for whoever hovers"
        st.caption(f"Times are {told}. Whole days are days in UTC; files hold UTC.", width="content")


def _is_utc_asked() -> bool:
    # Until the switch is drawn, a new session has it from the address alone.
    asked = st.session_state[KEY] if KEY in st.session_state else st.query_params.get(KEY)
    return asked is True or str(asked).lower() == "true"
