"""A number means the same wherever it stands: on each page, and at a terminal."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dashboards import stores
from dashboards.conftest import OpenPage, drawn
from streamlit.testing.v1 import AppTest

from aftertrace.cli import root
from aftertrace.dashboards import data, run_list
from aftertrace.dashboards.quantities import count, interval, share

STORES = ("recorded", "weeks", "uncontrolled", "lossy")
DENIED = "outcome=denied"


@pytest.fixture(autouse=True)
def after_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands after what any store holds."""
    monkeypatch.setattr("time.time_ns", lambda: stores.RECEIVED_NS + 10**15)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, recorded: Path, weeks: Path) -> Path:
    """A store."""
    if request.param in ("uncontrolled", "lossy"):
        make = stores.lossy if request.param == "lossy" else stores.uncontrolled
        return make(tmp_path / "data")
    return recorded if request.param == "recorded" else weeks


def told(capsys: pytest.CaptureFixture[str], store: Path, *words: str) -> Any:
    """What a command tells as JSON: one value, or one for each line."""
    assert root.run([*words, "--data", str(store), "--format", "json"]) == 0
    said = capsys.readouterr().out
    if not words[0].startswith(("report", "compare")):
        return [json.loads(line) for line in said.splitlines()]
    return json.loads(said)


def metrics(page: AppTest) -> dict[str, str]:
    """The headlines of a page."""
    return {each.label: each.value for each in page.metric}


def listed(open_page: OpenPage, store: Path) -> list[dict[str, Any]]:
    """The runs of all pages of the list."""
    page = open_page("runs", store)
    shown, runs = list(drawn(page, "runs")[0]["runs"]), int(page.subheader[0].value.split()[0])
    for nth in range(2, -(-runs // run_list.RUNS_AT_ONCE) + 1):
        shown += drawn(open_page("runs", store, is_first=False, page=str(nth)), "runs")[0]["runs"]
    return shown


def test_headlines_are_those_of_the_report(
    store: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the first page and on that of near misses, with what stands beside the rate; kinds add up to them."""
    report = told(capsys, store, "report", "near-misses")
    totals, beside, floor = report["totals"], report["beside"], "≥ " if report["floor"] else ""
    rate = f"{interval(totals['rate']['low'], totals['rate']['high'])}"
    now = metrics(open_page("now", store))
    assert {
        name: now[name] for name in ("Consequential near misses", "Near-miss rate", "Control failures", "Runs")
    } == {
        "Consequential near misses": f"{floor}{totals['consequential']:,}",
        "Near-miss rate": share(totals["rate"]["share"]),
        "Control failures": f"{totals['failures']:,}",
        "Runs": f"{totals['runs']:,}",
    }
    page = open_page("near_misses", store)
    assert page.subheader[0].value == (
        f"{count(totals['near_misses'], 'near miss')}, {totals['consequential']:,} consequential"
    )
    said = page.caption[0].value
    assert said.startswith(f"{share(totals['rate']['share'])} of {count(totals['calls'], 'call')} ")
    assert rate in said
    names = ("unresolved", "unknown_tool", "invalid_arguments", "failed")
    assert said.endswith(" · ".join(f"{beside.get(name, 0):,} {name.replace('_', ' ')}" for name in names) + ".")
    if totals["near_misses"]:
        times = page.dataframe[0].value["times"].str.removeprefix("≥ ").astype(int)
        assert times.sum() == totals["near_misses"] == len(told(capsys, store, "near-misses"))


def test_runs_add_up_to_the_headlines(store: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]) -> None:
    """Run by run as the command lists them; failures of controls as the report counts them."""
    report, runs = told(capsys, store, "report", "near-misses"), told(capsys, store, "runs")
    shown = listed(open_page, store)
    names = ("calls", "near_misses", "consequential")
    assert {each["id"]: [each[name] for name in names] for each in shown} == {
        each["run_id"]: [each[name] for name in names] for each in runs
    }
    assert sum(each["near_misses"] for each in shown) == report["totals"]["near_misses"]
    assert sum(each["consequential"] for each in shown) == report["totals"]["consequential"]
    assert sum(each["failures"] for each in shown) == report["totals"]["failures"]


def test_what_failed_across_runs_counts_in_one_of_them(
    tmp_path: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in the report: what two runs did to one object is told of the later one."""
    store = stores.paid_by_two(tmp_path / "data")
    report = told(capsys, store, "report", "near-misses")
    shown = listed(open_page, store)
    assert report["totals"]["failures"] == 1
    assert [each["failures"] for each in shown] == [1, 0]


def test_approvals_are_those_of_the_command(
    store: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """In all, those that wait, and decision by decision; the first page says as many wait."""
    listed_here = Counter(each["decision"] for each in told(capsys, store, "approvals"))
    page = open_page("approvals", store)
    waiting = listed_here["pending"]
    assert page.subheader[0].value == f"{count(listed_here.total(), 'request')}, {waiting:,} waiting"
    names = ("granted", "modified", "rejected", "expired", "cancelled")
    if listed_here:
        assert page.caption[0].value == " · ".join(f"{listed_here[name]:,} {name}" for name in names)
        assert metrics(page)["Waiting"] == f"{waiting:,}"
    assert metrics(open_page("now", store))["Approvals waiting"] == f"{waiting:,}"


def test_agents_changes_and_losses_are_those_of_the_commands(
    store: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """Agent by agent; how many changes there are, and after how many something moved; how much was lost."""
    agents, changes = told(capsys, store, "agents"), told(capsys, store, "changes")
    page = open_page("agents", store)
    names = ("runs", "calls", "near_misses")
    assert page.subheader[0].value == f"{count(len(agents), 'agent')} seen"
    table = page.dataframe[0].value
    assert sorted(table[[*names]].values.tolist()) == sorted([each[name] for name in names] for each in agents)
    moved = sum(bool(each["moved"]) for each in changes)
    page = open_page("changes", store)
    assert page.subheader[0].value == f"{count(len(changes), 'change')}, {moved:,} after which something moved"
    lost = told(capsys, store, "losses")
    page = open_page("evidence", store)
    rows = [each.value for each in page.dataframe if "lost" in each.value]
    counts = [each["count"] for each in lost]
    assert sorted(count for each in rows for count in each["lost"].tolist()) == sorted(counts)
    assert bool(counts) == ("lossy" in request.node.callspec.id)


def test_a_population_is_as_many_as_it_is_called(
    store: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Near misses that are held against other calls are all that there are; those of an outcome are the command's."""
    near = told(capsys, store, "near-misses")
    page = open_page("near_misses", store, view="what is different")
    if not near:
        assert not page.dataframe
        return
    runs = len({each["run_id"] for each in near})
    if not page.warning:
        assert page.text[0].value.startswith(f"{count(len(near), 'call')} of {count(runs, 'run')} with ")
    if any(each["outcome"] == "denied" for each in near):
        compared = told(capsys, store, "compare", "--where", DENIED)
        page = open_page("compare", store, two="populations", where=DENIED)
        chosen, others = compared["chosen"], compared["others"]
        assert page.text[0].value.startswith(
            f"{count(chosen['rows'], 'call')} of {count(chosen['runs'], 'run')} with {DENIED}, "
            f"against {count(others['rows'], 'call')} of {count(others['runs'], 'run')}"
        )


def test_the_check_sees_a_number_that_is_off(
    weeks: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A negative control: where effects are not counted, runs no longer add up."""
    report = told(capsys, weeks, "report", "near-misses")
    of_runs = data.Analysis.scan

    def without_effects(analysis: data.Analysis, table: str, *words: Any, **named: Any) -> Any:
        rows = of_runs(analysis, table, *words, **named)
        return rows.clear() if table == "effects" else rows

    monkeypatch.setattr(data.Analysis, "scan", without_effects)
    shown = listed(open_page, weeks)
    assert sum(each["failures"] for each in shown) != report["totals"]["failures"]
