"""Whoever is bound to tenants is told what they would be if nobody else had ever sent a record."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from dashboards.stores import SECRET, of_tenants
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis, Choice, Filter, Invalid, open_analysis, open_run
from aftertrace.analyzer.configurations.in_force import of_run
from aftertrace.analyzer.derived.deriving import derive_all
from aftertrace.analyzer.derived.parted import Parted
from aftertrace.analyzer.inventory.declared import Inventory, parsed
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.timelines.timeline import Wanted
from aftertrace.store.snapshot import Snapshot

ACME: Final = frozenset({"acme"})
OTHERS: Final = frozenset({"umbrella"})
NOW_NS: Final = 1_800_200_000 * 10**9
"""Two days after all was received."""
DECLARED: Final = parsed(
    '[[agent]]\nname = "clerk"\ntenant = "acme"\n[[agent]]\nname = "never shown to others"\ntenant = "umb*"\n', "it"
)


@pytest.fixture(scope="module", params=["from records", "from what is kept"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two tenants; told from all records, or from what was derived of them."""
    data = of_tenants(tmp_path_factory.mktemp("both") / "data", "acme", "umbrella")
    if request.param == "from what is kept":
        assert list(derive_all(data, now_ns=NOW_NS))[-1].kept > 0
    return data


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to which the first of them alone sent the same."""
    return of_tenants(tmp_path_factory.mktemp("alone") / "data", "acme")


def opened(data: Path, tenants: frozenset[str] | None = ACME, **options: Any) -> Analysis:
    """The analysis of a store, with what is declared."""
    return open_analysis(data, now_ns=NOW_NS, tenants=tenants, inventory=DECLARED, **options)


def test_it_is_what_the_store_of_that_tenant_alone_tells(both: Path, alone: Path) -> None:
    """Every value of every table, though both sent the same traces and ids; and it rests on the kept where there is."""
    found, expected = opened(both), opened(alone, None)
    assert isinstance(found.told, Parted) == (both / "derived").is_dir()
    for name in DERIVED:
        assert_frame_equal(found.select(name), expected.select(name), check_exact=True)
    for name in ("spans", "events"):
        frames = [getattr(each.tables, name).sort("seq", "index").collect() for each in (found, expected)]
        assert_frame_equal(*frames, check_exact=True)
    run_id = found.runs["run_id"][0]
    one, as_one = open_run(both, run_id, now_ns=NOW_NS, tenants=ACME)
    assert as_one == run_id
    assert said(one.record(run_id)) == said(expected.record(run_id))


def test_some_of_what_is_kept_counts_and_none_of_what_two_tenants_share(
    tmp_path: Path,
) -> None:
    """The runs that only one tenant has are read from files; the week in traces of both is told from one's records."""
    data = of_tenants(tmp_path / "data", "acme", "umbrella")
    assert list(derive_all(data, now_ns=NOW_NS))[-1].kept > 0
    told = opened(data).told
    assert isinstance(told, Parted)
    kept = told.collected(told.kept("runs", told.state.parts))[0]
    assert kept["agent_name"].to_list() == ["acme", "acme"]
    assert set(told.table("runs")["agent_name"]) == {"acme", "clerk"}


ASKED: Final[Mapping[str, Callable[[Analysis, str], Any]]] = {
    **{
        name: lambda analysis, _, name=name: getattr(analysis, name)  # type: ignore[misc]  # bound now
        for name in (
            *("calls", "runs", "approvals", "decisions", "agents", "effects", "effect_findings", "configurations"),
            *("versioned", "history", "configuration_changes", "change_measures", "losses", "classes", "of_all"),
            *("now_ns", "version", "inventory", "told", "tables", "whole"),
        )
    },
    "beside": lambda analysis, _: analysis.beside and analysis.beside(),
    "of": lambda analysis, run_id: analysis.of(run_id),
    "shares": lambda analysis, _: [each.runs for each in analysis.shares()],
    "select": lambda analysis, _: [analysis.select(name) for name in DERIVED],
    "scan": lambda analysis, _: analysis.scan("calls"),
    "columns": lambda analysis, _: analysis.columns("calls", ("reason", "arguments", "tool_name")),
    "collected": lambda analysis, _: analysis.collected(analysis.scan("calls", filter=Filter(outcome="denied"))),
    "meant": lambda analysis, _: analysis.meant(
        Filter(customer=SECRET, target=SECRET, namespace=SECRET, policy=SECRET)
    ),
    "near_misses": lambda analysis, _: analysis.near_misses(),
    "rates": lambda analysis, _: analysis.rates(["tool_name", "agent_name", "reviewer"]),
    "answers": lambda analysis, run_id: analysis.answers(run_id),
    "answers_of": lambda analysis, _: analysis.answers_of(analysis.runs["run_id"].to_list()),
    "timeline": lambda analysis, run_id: analysis.timeline(run_id),
    "timeline_of": lambda analysis, _: analysis.timeline_of(Wanted(tenant="umbrella")),
    "record": lambda analysis, run_id: analysis.record(run_id),
    "compare_runs": lambda analysis, run_id: analysis.compare_runs(run_id, run_id),
    "compare": lambda analysis, _: analysis.compare(Choice("calls", (Filter(outcome="denied"),))),
    "finds": lambda analysis, _: analysis.finds([SECRET]),
    "related": lambda analysis, run_id: analysis.related(run_id),
    "changes_before": lambda analysis, run_id: analysis.changes_before(
        of_run(analysis.versioned, analysis.configurations, run_id)
    ),
    "resolve_run": lambda analysis, run_id: analysis.resolve_run(run_id),
    "sql": lambda analysis, _: [analysis.sql(f"FROM {name}") for name in ("spans", "events", *DERIVED)],
}
"""Each public question of an analysis, asked about a run."""


def test_every_question_is_asked_here() -> None:
    """One that is new has to stand above."""
    fields = (each.name for each in dataclasses.fields(Analysis))
    assert {name for name in (*dir(Analysis), *fields) if not name.startswith("_")} == set(ASKED)


def test_no_question_tells_of_others(both: Path) -> None:
    """Neither a text of theirs, nor an id, nor the place of a record."""
    told = opened(both, OTHERS)
    theirs = {SECRET, *told.runs["run_id"], *told.calls["call_key"]}
    theirs -= {*opened(both).runs["run_id"], *opened(both).calls["call_key"]}
    places = {place for each in told.calls["evidence"] for place in each}
    assert len(theirs) > 2
    for name, ask in ASKED.items():
        analysis = opened(both)
        run_id = analysis.runs.filter(pl.col("agent_name") == "clerk")["run_id"][0]
        try:
            found = said(ask(analysis, run_id))
        except Invalid as refusal:
            found = str(refusal)
        assert {each for each in theirs if each in found} == set(), name
        assert {each for each in places if f"'{each}'" in found} == set(), name


def test_whoever_is_bound_to_nobody_is_told_them(both: Path) -> None:
    """The same questions: most tell of them, so the one above looks where something is."""
    analysis = opened(both, None)
    run_id = analysis.runs.filter(pl.col("agent_name").str.contains(SECRET))["run_id"][0]
    tell = {name for name, ask in ASKED.items() if SECRET in said(ask(analysis, run_id))}
    assert tell >= {
        *("calls", "runs", "approvals", "decisions", "agents", "select", "scan", "columns", "collected", "near_misses"),
        *("rates", "answers", "timeline", "timeline_of", "record", "finds", "related", "sql", "inventory", "versioned"),
        *("tables", "of", "shares"),
    }


def test_a_run_of_others_is_not_there(both: Path) -> None:
    """By its id, by its beginning, by the id that its sender gave it, nor by a filter."""
    run_id = opened(both, OTHERS).runs.filter(pl.col("agent_name").str.contains(SECRET))["run_id"][0]
    analysis = opened(both)
    own = analysis.runs["run_id"][0]
    for text in (run_id, run_id[:6], f"1 umbrella {SECRET}"):
        with pytest.raises(Invalid, match="not found"):
            analysis.resolve_run(text)
        with pytest.raises(Invalid, match="not found"):
            open_run(both, text, now_ns=NOW_NS, tenants=ACME)
    for ask in (analysis.record, analysis.answers, analysis.related, lambda each: analysis.compare_runs(own, each)):
        with pytest.raises(Invalid, match="not found"):
            ask(run_id)
    assert analysis.timeline(run_id).is_empty()
    assert analysis.select("runs", Filter(tenant="umbrella")).is_empty()
    assert analysis.inventory == Inventory(DECLARED.agents[:1])


def test_whoever_is_bound_to_a_tenant_that_sent_nothing_is_told_nothing(both: Path) -> None:
    """Nor is one that begins alike, nor are sources of no tenant anybody's."""
    for tenants in (frozenset[str](), frozenset({"ac"}), frozenset({"acme/agents"}), frozenset({""})):
        analysis = opened(both, tenants)
        assert [analysis.select(name).height for name in DERIVED] == [0] * len(DERIVED), tenants


def said(value: Any) -> str:
    """All that a value holds, as text."""
    return "\n".join(_said(value, set()))


def _said(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    if isinstance(value, pl.DataFrame):
        yield from (repr(row) for row in value.rows())
    elif isinstance(value, pl.Series):
        yield repr(value.to_list())
    elif isinstance(value, Tables):
        yield from _said([value.spans, value.events, value.evidence, value.resources, value.noted()], seen)
    elif isinstance(value, Parted):
        yield from _said([value.table(name) for name in ("calls", "runs", "sightings", "keys")], seen)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type | Snapshot):
        if id(value) not in seen:
            seen.add(id(value))
            for each in dataclasses.fields(value):
                yield from _said(getattr(value, each.name), seen)
    elif isinstance(value, Mapping):
        yield from _said([*value.keys(), *value.values()], seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _said(each, seen)
    elif value is None or isinstance(value, str | bytes | int | float | bool | date | datetime | time.struct_time):
        yield repr(value)
