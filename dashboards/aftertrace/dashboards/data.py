"""What the pages read: one pinned version of the store, opened once for everybody who looks at it.

This is the only module that imports the analyzer or caches anything. A version of the tables is the cache key, so a
page never mixes two states of the store, and an unchanged store is read once.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import polars as pl
import streamlit as st

from aftertrace.analyzer import AftertraceError, Analysis, Filter, Invalid, current_version, open_analysis, open_run
from aftertrace.analyzer.documents import html
from aftertrace.analyzer.inventory import declared as declarations
from aftertrace.analyzer.ledger import reading
from aftertrace.analyzer.ledger.redactions import Redactions, redactions
from aftertrace.analyzer.querying import bounded
from aftertrace.analyzer.reading import commentary
from aftertrace.analyzer.records import record_document
from aftertrace.dashboards import contents, launch, packing, signing_in
from aftertrace.dashboards.access import Person

__all__ = [
    "REFRESH_S",
    "AftertraceError",
    "Analysis",
    "Filter",
    "Invalid",
    "Pace",
    "allow",
    "analysis",
    "answer",
    "comments",
    "is_empty",
    "note_page",
    "note_read",
    "once",
    "pace",
    "packet",
    "person",
    "reads",
    "record_page",
    "run",
    "settings",
    "version",
]

T = TypeVar("T")
REFRESH_S: Final = 2
"""How often an open page looks for a newer version of the store."""
_READS_S: Final = 30.0
"""How old what is told of reads may be."""
_NOTED: Final = "noted_read"
_log: Final = logging.getLogger("aftertrace.dashboard")
_FIRST: Final = ("runs", "calls")
_JUDGED_NS: Final = 5 * 60 * 10**9
"""How long an analysis stands where nothing new comes: a run that is open now may have ended by silence later."""


def settings() -> launch.Settings:
    """What the pages were started with."""
    return launch.settings(sys.argv[1:])


def person() -> Person:
    """Who looks: whatever is read of the store is read for them.

    Raises:
        Invalid: nobody has signed in for whom the pages are.
    """
    return _known(signing_in.person())


def _known(who: Person | None) -> Person:
    if who is None:
        raise Invalid("look at pages: nobody has signed in for whom they are, expected that; sign in")
    return who


def allow(what: str) -> Person:
    """Who looks, if their role includes something of `access.MAY`. Raises `Invalid`."""
    return _allowed(signing_in.person(), what)


def _allowed(looks: Person | None, what: str) -> Person:
    who = _known(looks)
    if not who.may(what):
        raise Invalid(
            f"{what}: not for you as {who.role}, expected a role, and tenants, that it is for; ask whoever gives them"
        )
    return who


def note_read(how: str, what: str = "") -> None:
    """Record a read, and who had signed in, where that is asked for."""
    try:
        reading.record(settings().data, settings().reads, how, what, person().by)
    except OSError as error:
        _log.warning("a read is not recorded: %s", error.strerror)


def note_page(title: str, what: str = "") -> None:
    """The same of a page: once for each who looks, however often it is drawn."""
    noted: set[tuple[str, str]] = st.session_state.setdefault(_NOTED, set())
    if (title, what) not in noted:
        noted.add((title, what))
        note_read(f"page {title}", what)


def answer(text: str) -> bounded.Answer:
    """What a statement in SQL gives, of whose records whoever asks may see. Raises `AftertraceError`."""
    who = allow("sql")
    note_read("sql page", text)
    return bounded.ask(settings().data, text, settings().inventory, bounded.DEFAULT, who.tenants)


def packet(run_id: str) -> packing.Packed:
    """The packet of a run. Raises `AftertraceError`."""
    allow("packets")
    note_read("packet page", run_id)
    return packing.packed(settings().data, run_id)


def reads() -> pl.DataFrame:
    """Who read what, the latest first, as of some seconds ago: columns as in `reading.SCHEMA`.

    Raises:
        AftertraceError: what is recorded is damaged.
        OSError: it cannot be read.
    """
    allow("evidence")
    return _read_by(str(settings().data))


# All that is recorded is read for it, and no version says whether there is more: so that it is looked for now and then.
@st.cache_resource(ttl=_READS_S, max_entries=2, show_spinner="Reading who read what …")
def _read_by(data: str) -> pl.DataFrame:
    return reading.reads(Path(data))


def redacted() -> Redactions:
    """What redaction replaced lately, by rule. Raises `AftertraceError`."""
    allow("evidence")
    folder = settings().data
    return once(analysis(), "redactions", lambda: redactions(folder))


def version() -> str | None:
    """What the pages would show now: changes with the store, and every few minutes; None where it cannot be read."""
    try:
        return _key(str(settings().data), _inventory())
    except AftertraceError:
        return None


def record_page(analysis: Analysis, run_id: str) -> Callable[[], str]:
    """What gives a run as one HTML file, as `aftertrace run ID --format html` writes it: to whoever looks now, for as
    long as their sign-in counts. It can be called where no page is drawn. Raises `Invalid`.
    """
    allow("contents")
    who = signing_in.later()

    def written() -> str:
        _allowed(who(), "contents")
        return html.written(record_document.document(analysis.record(run_id)))

    return written


def analysis() -> Analysis:
    """The store as of now.

    Raises:
        AftertraceError: the store cannot be read.
    """
    data, inventory = str(settings().data), _inventory()
    return _opened(data, _key(data, inventory), inventory, _bound(person()))


def is_empty(analysis: Analysis) -> bool:
    """Whether nothing was told yet: neither a run nor a call."""
    return once(analysis, "whether it is empty", lambda: _has_nothing(analysis))


def _has_nothing(analysis: Analysis) -> bool:
    return not any(rows.height for rows in analysis.collected(*(analysis.scan(t, ("run_id",)).head(1) for t in _FIRST)))


def once(analysis: Analysis, question: str, ask: Callable[[], T], *, has_contents: bool = True) -> T:
    """What is asked of one version of the store: answered once for everybody who asks it, and given without contents
    to those who see none.

    Args:
        analysis: what is asked.
        question: what tells it from all others.
        ask: gives the answer.
        has_contents: whether contents may be in it.

    Raises:
        Invalid: contents are all that is asked for, and whoever looks sees none.
    """
    answer: T = _answered(f"{analysis.version} {analysis.now_ns} {hash(analysis.inventory)}", question, ask)
    return contents.without(answer) if has_contents and not person().may("contents") else answer


@st.cache_resource(max_entries=64, show_spinner="Reading the store …")
def _answered(
    key: str,  # noqa: ARG001  # the version that is kept
    question: str,  # noqa: ARG001  # what is kept of it
    _ask: Callable[[], Any],
) -> Any:
    began_s = time.monotonic()
    answer = _ask()
    # What is asked of every new version costs as reading it does.
    pace(str(settings().data)).took_s += time.monotonic() - began_s
    return answer


def run(text: str) -> tuple[Analysis, str]:
    """One run as of now, with its id: no more of the store is read than it needs.

    Raises:
        Invalid: none or several runs answer to the text.
        AftertraceError: the store cannot be read.
    """
    data, inventory = str(settings().data), _inventory()
    return _opened_run(data, _key(data, inventory), inventory, _bound(allow("contents")), text)


def comments(run_id: str) -> pl.DataFrame:
    """What people wrote about a run, but for what was replaced or taken back (`commentary.comments`).

    Raises:
        AftertraceError: it cannot be read, or is not as it was signed.
    """
    is_said = pl.col("replaced_by").is_null() & (pl.col("kind") != "retraction")
    if allow("contents").tenants is not None:
        # Who wrote of runs of others beside this one wrote for those who see them.
        (own,) = analysis().collected(analysis().scan("runs", ("run_id",)))
        is_said &= pl.col("runs").list.eval(pl.element().is_in(own["run_id"].implode())).list.all()
    return commentary.comments(settings().data).filter(is_said, pl.col("runs").list.contains(run_id))


def _bound(who: Person) -> tuple[str, ...] | None:
    """The tenants whose runs somebody sees, as a key of what is kept."""
    return None if who.tenants is None else tuple(sorted(who.tenants))


def _tenants(bound: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if bound is None else frozenset(bound)


def _inventory() -> str | None:
    """The file of the declared inventory."""
    file = settings().inventory
    return None if file is None else str(file)


@dataclass(slots=True)
class Pace:
    """When a store was last read, and what that cost: what is dear is read less often."""

    key: str = ""
    """Key of what was read."""
    read_s: float = 0.0
    """When, by the monotonic clock."""
    took_s: float = 0.0

    def rests(self) -> bool:
        """Whether to show what there is for a while: reading never takes more than a fifth of the time."""
        return bool(self.key) and time.monotonic() - self.read_s < 4 * self.took_s


@st.cache_resource(max_entries=4, show_spinner=False)
def pace(data: str) -> Pace:  # noqa: ARG001  # the key under which it is kept
    """The pace of one store, shared by everybody who looks at it."""
    return Pace()


@st.cache_data(ttl=1.0, max_entries=4, show_spinner=False)
def _key(data: str, inventory: str | None) -> str:
    """At most a second old, however many people look."""
    if pace(data).rests():
        return pace(data).key
    written = Path(inventory).stat().st_mtime_ns if inventory is not None and Path(inventory).is_file() else 0
    return f"{current_version(Path(data))} {time.time_ns() // _JUDGED_NS} {written}"


@st.cache_resource(max_entries=8, show_spinner="Reading the store …")
def _opened(data: str, key: str, inventory: str | None, bound: tuple[str, ...] | None) -> Analysis:
    began_s = time.monotonic()
    opened = open_analysis(Path(data), now_ns=_now_ns(), inventory=_declared(inventory), tenants=_tenants(bound))
    # The derived tables are made when they are first asked for.
    _has_nothing(opened)
    now_s = time.monotonic()
    kept = pace(data)
    kept.key, kept.read_s, kept.took_s = key, now_s, now_s - began_s
    return opened


@st.cache_resource(max_entries=16, show_spinner="Reading the run …")
def _opened_run(
    data: str,
    key: str,  # noqa: ARG001  # the version that is kept
    inventory: str | None,
    bound: tuple[str, ...] | None,
    text: str,
) -> tuple[Analysis, str]:
    return open_run(Path(data), text, now_ns=_now_ns(), inventory=_declared(inventory), tenants=_tenants(bound))


def _now_ns() -> int:
    """As finely as times are written, so that what a page was judged at can be asked for again (`--as-of`)."""
    return time.time_ns() // 1000 * 1000


def _declared(inventory: str | None) -> declarations.Inventory | None:
    return None if inventory is None else declarations.read(Path(inventory))
