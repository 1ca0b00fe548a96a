"""Which requests holds keep: those of runs and agents as the analysis tells them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aftertrace.dashboards.plain import plain

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer import Analysis
    from aftertrace.store.ledger.entries import HeldBy, Hold
    from aftertrace.store.retention.plan import Held

_RUNS: Final = 5_000
"""Runs whose records are looked for at a time."""
_NEAREST: Final = 3
"""Names that are told in place of one that nothing has."""


def telling(data: Path) -> Callable[[Sequence[Hold]], list[Held]]:
    """`held_by` of a store, as whoever carries orders out asks it."""
    return lambda holds: held_by(data, holds)


def held_by(data: Path, holds: Sequence[Hold]) -> list[Held]:
    """What is held, with the requests of runs and agents.

    Raises:
        Invalid: a run that is held is not found, so that nobody can tell what must stay.
    """
    import polars as pl

    from aftertrace.analyzer import open_analysis
    from aftertrace.store.retention.plan import Held

    found = []
    # What people declared changes nothing of what a run or an agent is.
    analysis = open_analysis(data) if any(hold.of in ("run", "agent") for hold in holds) else None
    for hold in holds:
        requests = None
        if analysis is not None and hold.of == "run":
            requests = requests_of(analysis, [analysis.resolve_run(hold.name)])
        elif analysis is not None and hold.of == "agent":
            requests = requests_of(analysis, analysis.agents.filter(pl.col("agent_name") == hold.name)["run_id"])
        found.append(Held(f"hold {hold.id[:8]} of {hold.of} {hold.name}: {hold.why}", requests, hold))
    return found


def unmatched(data: Path, of: HeldBy, name: str) -> str | None:
    """That an agent, a source, a tenant or days hold nothing that is stored, and which names are near; None: they do.

    Raises:
        Corrupt: a stored file is damaged.
    """
    from aftertrace.store.ledger.days import days_of
    from aftertrace.store.snapshot import Snapshot

    if of == "run":
        return None
    if of == "days":
        between = days_of(name)
        days = {day for _, day in Snapshot.of(data).files("evidence")}
        is_held = between is not None and any(between[0] <= day <= between[1] for day in days)
        return None if is_held else f"nothing that was received on {name} is stored."
    known = _known(data, of)
    if name in known:
        return None
    with_it = [each for each in known if name.casefold() in each.casefold()]
    near = list(dict.fromkeys([*with_it, *difflib.get_close_matches(name, known)]))[:_NEAREST]
    told = f"; did you mean {' or '.join(map(plain, near))}?" if near else "."
    return f"no {of} '{plain(name)}' has sent anything yet{told}"


def _known(data: Path, of: HeldBy) -> list[str]:
    """Names of agents, sources or tenants of which something is stored."""
    import polars as pl

    from aftertrace.analyzer import open_analysis
    from aftertrace.store.snapshot import Snapshot, collected
    from aftertrace.store.sources import tenant_of

    if of == "agent":
        return sorted(open_analysis(data).agents["agent_name"].drop_nulls().unique())
    (found,) = collected(Snapshot.of(data).scan("evidence", columns=["source"]).select(pl.col("source").unique()))
    sources = sorted(found["source"].drop_nulls())
    return sources if of == "source" else sorted({tenant for each in sources if (tenant := tenant_of(each))})


def requests_of(analysis: Analysis, run_ids: Iterable[str]) -> pl.DataFrame:
    """`receiver`, `seq` of the requests that records of some runs came with."""
    return records_of(analysis, run_ids).select("receiver", "seq").unique()


def records_of(analysis: Analysis, run_ids: Iterable[str]) -> pl.DataFrame:
    """`receiver`, `seq`, `index` of the records of some runs."""
    import polars as pl

    place, wanted_runs = ("receiver", "seq", "index"), list(run_ids)
    found = [pl.DataFrame(schema={"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32})]
    for start in range(0, len(wanted_runs), _RUNS):
        wanted = wanted_runs[start : start + _RUNS]
        of = analysis.of(*wanted).identified
        frames = [frame.lazy().filter(pl.col("run_id").is_in(wanted)).select(place) for frame in (of.spans, of.events)]
        found.append(pl.concat(frames).unique().collect())
    return pl.concat(found)
