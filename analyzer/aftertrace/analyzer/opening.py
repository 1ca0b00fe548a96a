"""Opening a store: an analysis of all of it, at one version of its tables, or of what one run needs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from aftertrace.analyzer.analysis import Analysis, analyse
from aftertrace.analyzer.derived import kept
from aftertrace.analyzer.derived.around import around
from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.derived.fresh import counted
from aftertrace.analyzer.derived.newest import newest
from aftertrace.analyzer.derived.parted import Parted
from aftertrace.analyzer.identity.connected import Connected, connected, sought
from aftertrace.analyzer.identity.found import in_store
from aftertrace.analyzer.inventory.declared import Inventory
from aftertrace.analyzer.reading.tables import Noted, Tables
from aftertrace.store import derived
from aftertrace.store.blobs.shown import Shown
from aftertrace.store.layout import Layout
from aftertrace.store.quarantine import put_aside
from aftertrace.store.refusals import refusals
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.sources import tenant_of

_MOST_OF_IT: Final = 0.4
"""Where a larger share of the records came since, to tell all runs from all records takes less: none is looked for."""


def open_analysis(
    data: Path,
    *,
    now_ns: int | None = None,
    as_of_ns: int | None = None,
    inventory: Inventory | None = None,
    tenants: frozenset[str] | None = None,
) -> Analysis:
    """An analysis of the store in `data`, at the version its tables have now. An empty store has empty tables.

    Args:
        data: folder of the store.
        now_ns: the time it is judged at.
        as_of_ns: only what had been received before then is looked at, and it is judged at that time.
        inventory: what people declared.
        tenants: whose records are read: it tells what it would if nobody else had ever sent any. None: all.
    """
    before = derived.read(Layout(data))
    pinned = Snapshot.of(data, tenants)
    state = kept.current(before, pinned)
    if state is not None:
        new, every = counted(pinned, state.upto)
        state = None if new > _MOST_OF_IT * every else state
    analysis = _with(inventory, pinned, _analysed(tables_of(pinned), _version(pinned), now_ns, as_of_ns))
    return analysis if state is None else replace(analysis, told=Parted(pinned, state, analysis.now_ns, as_of_ns))


def open_run(
    data: Path,
    text: str,
    *,
    now_ns: int | None = None,
    as_of_ns: int | None = None,
    inventory: Inventory | None = None,
    tenants: frozenset[str] | None = None,
) -> tuple[Analysis, str]:
    """An analysis of what one run needs of the store in `data`, and the run's id; what it tells of that run is what
    `open_analysis` tells, but where ids that many calls have lead to more than is read (`places.PLACES_AT_MOST`). Of
    other runs it may tell a part.

    Args:
        data: folder of the store.
        text: as for `Analysis.resolve_run`.
        now_ns: the time it is judged at.
        as_of_ns: as for `open_analysis`.
        inventory: as for `open_analysis`.
        tenants: as for `open_analysis`.

    Raises:
        Invalid: none or several runs answer to it.
        Corrupt: a file of a table is damaged or missing.
    """
    before = derived.read(Layout(data))
    pinned = Snapshot.of(data, tenants)
    state, tables = kept.current(before, pinned), tables_of(pinned)
    found = in_store(pinned, None if state is None else state.indexes)
    if as_of_ns is not None:
        found = found.received_before(as_of_ns)
    own: Connected | None = None
    if text != "last":
        own = connected(found, sought(found, text))
    elif as_of_ns is None:
        # Which run was the last at another time, only all rows tell.
        own = newest(found)
    whole = _analysed(tables, _version(pinned), now_ns, as_of_ns)
    if own is None:
        analysis = _with(inventory, pinned, whole)
        return analysis, analysis.resolve_run(text)
    alone = replace(tables, spans=own.tables.spans, events=own.tables.events)
    analysis = replace(
        _with(inventory, pinned, _analysed(alone, whole.version, whole.now_ns, as_of_ns)),
        told=Derivation(alone, whole.now_ns, own.identified),
        beside=lambda: around(pinned, state, whole.tables, whole.now_ns, as_of_ns),
    )
    return analysis, analysis.resolve_run(text)


def _with(inventory: Inventory | None, pinned: Snapshot, analysis: Analysis) -> Analysis:
    if inventory is None:
        return analysis
    return replace(analysis, inventory=inventory if pinned.tenants is None else inventory.of_tenants(pinned.tenants))


def _analysed(tables: Tables, version: str, now_ns: int | None, as_of_ns: int | None) -> Analysis:
    if as_of_ns is None:
        return analyse(tables, version=version, now_ns=now_ns)
    return analyse(tables.received_before(as_of_ns), version=f"{version},as_of:{as_of_ns}", now_ns=as_of_ns)


def tables_of(pinned: Snapshot) -> Tables:
    """What a version of a store holds, and what is noted beside it when that is first asked for."""
    layout = Layout(pinned.data)
    names = ("spans", "events", "evidence", "resources")
    spans, events, evidence, resources = (pinned.scan(name) for name in names)
    return Tables(
        spans,
        events,
        evidence,
        lambda: _noted(layout, pinned.tenants),
        resources,
        Shown(layout) if layout.blobs.is_dir() else None,
    )


def _noted(layout: Layout, tenants: frozenset[str] | None) -> Noted:
    refused = refusals(layout)
    if tenants is None:
        return Noted(refused, put_aside(layout))
    # What is in the quarantine tells of no sender, or of whichever its frame does.
    return Noted(tuple(each for each in refused if tenant_of(each.source) in tenants))


def current_version(data: Path) -> str:
    """The version that `open_analysis` would pin now; cheap."""
    return _version(Snapshot.of(data))


def _version(pinned: Snapshot) -> str:
    told = [f"{table}:{version}" for table, version in pinned.versions]
    if pinned.tenants is not None:
        told.append(f"tenants:{' '.join(sorted(pinned.tenants))}")
    # What was destroyed must not be shown from a cache.
    with suppress(OSError):
        told.append(f"blobs:{pinned.layout.blobs.stat().st_mtime_ns}")
    return ",".join(told)
