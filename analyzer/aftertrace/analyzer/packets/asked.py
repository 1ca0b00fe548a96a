"""What a packet is asked for, and the file that describes an incident."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

from aftertrace.analyzer.documents.periods import Period, instant
from aftertrace.store.errors import Invalid
from aftertrace.verifier.about import Kind

INCIDENT: Final = {
    "title": "What to call it. Needed.",
    "runs": "Runs, each as `aftertrace run` takes it: an id or its beginning, the sender's id of it, a trace.",
    "find": "What leads to further runs, as `aftertrace find` takes it: texts, or lists of texts that stand together.",
    "since": "Only of runs that `find` leads to: those with a record of it from this time on, in UTC.",
    "until": "Likewise up to this time.",
}
"""The keys of the file of `aftertrace packet --incident`. One of `runs` and `find` is needed."""
SAMPLE: Final = 20
"""How many runs of a period are in a packet, unless another number is asked for."""
_MAX_BYTES: Final = 1 << 20
_TITLE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What a packet is asked for."""

    kind: Kind
    title: str
    """What to call it; empty: by its runs."""
    runs: tuple[str, ...] = ()
    """Runs, as people name them."""
    find: tuple[tuple[str, ...], ...] = ()
    """Texts that lead to runs; those of each stand together."""
    since_ns: int | None = None
    until_ns: int | None = None
    as_of_ns: int | None = None
    """Only what had been received before then; None: what is signed, or of a period what counts in it."""
    period: Period | None = None
    period_name: str | None = None
    """The period as it was asked for."""
    sample: int = SAMPLE
    """How many runs of the period."""
    seed: str | None = None
    """By which they are drawn; None: the root that was signed, which nobody who sent something could choose."""

    def told(self) -> dict[str, Any]:
        """The same for `packet.json`."""
        found: dict[str, Any] = {}
        if self.runs:
            found["runs"] = list(self.runs)
        if self.find:
            found["find"] = [list(texts) for texts in self.find]
        for name, time_ns in (("since", self.since_ns), ("until", self.until_ns), ("as_of", self.as_of_ns)):
            if time_ns is not None:
                found[name] = instant(time_ns)
        if self.period is not None:
            found["period"] = self.period_name or self.period.text
            found["closed"] = self.period.is_closed
        return found


def incident(path: Path) -> Asked:
    """What the file of an incident asks for.

    Raises:
        Invalid: it is not such a file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise _refused(path, f"more than {_MAX_BYTES} bytes")
    try:
        told = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise _refused(path, f"no TOML ({fault})") from None
    for key in told:
        if key not in INCIDENT:
            raise _refused(path, f"{key!r}, expected {', '.join(INCIDENT)}")
    title = told.get("title")
    if not isinstance(title, str) or not title.strip() or len(title) > _TITLE_CHARACTERS:
        raise _refused(path, f"no title, expected a text of {_TITLE_CHARACTERS} characters at most")
    runs = tuple(_texts(path, told.get("runs", []), "runs"))
    find = tuple(_together(path, each) for each in _list(path, told.get("find", []), "find"))
    if not runs and not find:
        raise _refused(path, "neither runs nor find, expected one of them")
    since_ns, until_ns = (_time_ns(path, told, name) for name in ("since", "until"))
    return Asked("incident", title, runs, find, since_ns, until_ns)


def _together(path: Path, told: object) -> tuple[str, ...]:
    return tuple(_texts(path, [told] if isinstance(told, str) else told, "find"))


def _texts(path: Path, told: object, name: str) -> list[str]:
    found = _list(path, told, name)
    if not all(isinstance(each, str) and each for each in found):
        raise _refused(path, f"{name} holds something else, expected texts")
    return found


def _list(path: Path, told: object, name: str) -> list[Any]:
    if not isinstance(told, list):
        raise _refused(path, f"{name} is no list, expected one")
    return told


def _time_ns(path: Path, told: Mapping[str, object], name: str) -> int | None:
    at = told.get(name)
    if at is None:
        return None
    if isinstance(at, datetime):
        moment = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    elif isinstance(at, date):
        moment = datetime.combine(at, time(), UTC)
    else:
        raise _refused(path, f"{name} is no time, expected one as TOML writes it: 2026-11-22T09:30:00Z")
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9


def _refused(path: Path, found: str) -> Invalid:
    return Invalid(f"read incident {path}: {found}; see `aftertrace packet --help`")
