"""The list of runs: facets, saved views, search, pages and fingerprints, each as the analyzer tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dashboards import stores
from dashboards.conftest import OpenPage, drawn
from streamlit.testing.v1 import AppTest

from aftertrace.analyzer import Analysis, Filter, open_analysis
from aftertrace.cli import root
from aftertrace.dashboards import data, fingerprints, run_list
from aftertrace.dashboards.addresses import run_address
from aftertrace.dashboards.quantities import count


def listed(page: AppTest) -> list[dict[str, Any]]:
    """The runs that a page shows."""
    return list(drawn(page, "runs")[0]["runs"])


def newest_first(runs: pl.DataFrame) -> list[str]:
    """As the list has them where nothing else is chosen."""
    return runs.sort("first_ns", "run_id", descending=[True, False])["run_id"].to_list()


def test_the_list_holds_every_run_with_what_the_analyzer_counts(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """The newest first, page by page; numbers are those of `aftertrace runs`."""
    page = open_page("runs", recorded)
    runs = analysis.runs
    assert [each["id"] for each in listed(page)] == newest_first(runs)
    rows = {row["run_id"]: row for row in runs.iter_rows(named=True)}
    for each in listed(page):
        assert {name: each[name] for name in ("calls", "near_misses", "consequential")} == {
            name: rows[each["id"]][name] for name in ("calls", "near_misses", "consequential")
        }
        assert each["to"] == run_address(each["id"])
    assert page.subheader[0].value == count(runs.height, "run")
    told = f"{count(int(runs['calls'].sum()), 'call')} · {count(int(runs['near_misses'].sum()), 'near miss')}"
    assert any(told in each.value for each in page.caption)


@pytest.mark.parametrize(
    "query",
    [
        {"agent": "dbbot"},
        {"state": "waiting"},
        {"outcome": "denied"},
        {"model": "claude-opus-4-8[1m]"},
        {"tool": "Bash"},
    ],
)
def test_a_facet_in_the_address_gives_the_runs_of_the_command(
    query: dict[str, str], recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """The same filter, whoever asks."""
    page = open_page("runs", recorded, **query)
    expected = newest_first(analysis.select("runs", Filter(**query)))
    assert [each["id"] for each in listed(page)] == expected
    assert 0 < len(expected) < analysis.runs.height
    assert page.selectbox(key=next(iter(query))).value == next(iter(query.values()))


@pytest.mark.parametrize("name", run_list.VIEWS)
def test_a_saved_view_holds_the_runs_that_its_statement_gives(
    name: str, recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """Page and SQL tell the same; with nothing in it, the page says so."""
    expected = set(analysis.sql(run_list.VIEWS[name].sql)["run_id"])
    page = open_page("runs", recorded, saved=name)
    if not expected:
        assert [each.value for each in page.info] == ["Nothing matches these filters."]
        return
    assert {each["id"] for each in listed(page)} == expected
    assert page.subheader[0].value == count(len(expected), "run")
    assert all("saved" in each["to"] for each in listed(page))


def test_a_view_is_of_what_the_filter_lets_through(tmp_path: Path, open_page: OpenPage) -> None:
    """A run in which a control failed is found, and not for a tool that it has not."""
    store = stores.uncontrolled(tmp_path / "data")
    assert len(listed(open_page("runs", store, saved="Findings"))) == 1
    assert len(listed(open_page("runs", store, saved="Findings", tool="pay"))) == 1
    assert not drawn(open_page("runs", store, saved="Edited, then approved"), "runs")


def test_a_text_is_looked_for_in_arguments_and_texts(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """The runs of `aftertrace find`, each with where it stands."""
    found = analysis.finds(["delete"])
    page = open_page("runs", recorded, q="delete")
    assert {each["id"] for each in listed(page)} == set(found["run_id"])
    assert all(each["found"] and ": " in each["told"] for each in listed(page))
    short = open_page("runs", recorded, q="x")
    assert [each.value for each in short.warning] == ["This cannot be looked for."]
    assert not short.exception


@pytest.mark.parametrize("order", run_list.ORDERS)
def test_a_list_can_be_ordered(order: str, recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """What is not told comes last."""
    column = run_list.ORDERS[order]
    page = open_page("runs", recorded, order=order)
    values = dict(analysis.runs.select("run_id", column).iter_rows())
    shown = [values[each["id"]] for each in listed(page)]
    told = [each for each in shown if each is not None]
    assert shown[: len(told)] == sorted(told, reverse=True)


def test_a_page_of_the_list_is_all_that_is_sent(
    monkeypatch: pytest.MonkeyPatch, recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """The second page holds the next ones; a page that is not there is the last one."""
    everything = newest_first(analysis.runs)
    monkeypatch.setattr(run_list, "RUNS_AT_ONCE", 4)
    assert [each["id"] for each in listed(open_page("runs", recorded))] == everything[:4]
    page = open_page("runs", recorded, page="2")
    assert [each["id"] for each in listed(page)] == everything[4:8]
    assert f"5 to 8 of {len(everything)} runs" in [each.value for each in page.caption]


def test_no_whole_table_is_read_to_show_a_page_of_it(
    monkeypatch: pytest.MonkeyPatch, recorded: Path, open_page: OpenPage
) -> None:
    """An analysis keeps the tables that are asked for whole: there is none. The control asks for one."""
    opened: list[Analysis] = []

    def noted(*arguments: Any, **named: Any) -> Analysis:
        opened.append(open_analysis(*arguments, **named))
        return opened[-1]

    monkeypatch.setattr(data, "open_analysis", noted)
    page = open_page("runs", recorded, saved="Denied", agent="dbbot")
    assert listed(page)
    (analysis,) = opened
    tables = {"runs", "calls", "approvals", "effects", "decisions", "agents"}
    assert tables & set(analysis.__dict__) == set()
    assert analysis.runs.height
    assert tables & set(analysis.__dict__) == {"runs"}


@pytest.mark.parametrize("query", [{}, {"agent": "dbbot"}, {"state": "waiting"}, {"outcome": "denied"}])
def test_numbers_are_those_of_the_command_line(
    query: dict[str, str], recorded: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run by run, and in all."""
    options = [word for name, value in query.items() for word in (f"--{name}", value)]
    assert root.run(["runs", "--data", str(recorded), "--format", "json", *options]) == 0
    told = {each["run_id"]: each for each in json.loads(f"[{','.join(capsys.readouterr().out.splitlines())}]")}
    page = open_page("runs", recorded, **query)
    numbers = ("calls", "near_misses", "consequential", "state")
    assert {each["id"]: [each[name] for name in numbers] for each in listed(page)} == {
        run_id: [each[name] for name in numbers] for run_id, each in told.items()
    }
    assert page.subheader[0].value == count(len(told), "run")


def test_a_fingerprint_is_filled_where_a_call_ran_and_hollow_where_it_did_not(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """A step for each call, in the row of its tool."""
    page = open_page("runs", recorded, shape="Fingerprints")
    assert drawn(page, "runs")[0]["large"]
    ran = {"executed", "failed", "modified"}
    for each in listed(page):
        calls = analysis.select("calls", Filter(run_id=each["id"])).sort("first_ns", "ordinal", "call_key")
        assert len(each["steps"]) == min(calls.height, fingerprints.STEPS_AT_MOST) == each["calls"]
        for step, outcome, tool in zip(each["steps"], calls["outcome"], calls["tool_name"], strict=True):
            assert (step["dot"] == "filled") == (outcome in ran)
            assert each["tools"][step["row"]] == tool
            assert outcome.replace("_", " ") in step["title"]


def test_tools_beyond_the_last_row_share_it() -> None:
    """A fingerprint does not grow with what an agent calls."""
    calls = pl.DataFrame(
        {
            "run_id": ["r"] * 12, "ordinal": list(range(12)), "first_ns": list(range(12)),
            "call_key": [str(nth) for nth in range(12)], "tool_name": [f"t{nth:02}" for nth in range(12)],
            "outcome": ["denied"] * 12, "signals": [[]] * 12,
        },
        schema_overrides={"signals": pl.List(pl.String)},
    )  # fmt: skip
    run = dict.fromkeys(("state", "agent_name", "model", "started_at", "duration_ns", "cost_usd", "prompt"))
    rows = pl.DataFrame([{**run, "run_id": "r", "calls": 12, "near_misses": 12, "consequential": 0, "signals": []}])
    drawing = fingerprints.drawn(rows, calls, {}, {}, {}, are_large=True)
    assert drawing["runs"][0]["tools"] == [*(f"t{nth:02}" for nth in range(7)), "other tools"]
    assert [step["row"] for step in drawing["runs"][0]["steps"]] == [*range(7), *[7] * 5]
    assert drawing["legend"] == [{"dot": "hollow", "tone": "critical", "word": "refused"}]


def test_filters_can_be_cleared(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """At once, those included that are not in sight."""
    page = open_page("runs", recorded, agent="dbbot", model="claude-opus-4-8[1m]")
    next(each for each in page.button if each.label == "Clear all filters").click().run()
    assert page.query_params == {}
    assert len(listed(page)) == analysis.runs.height


def test_what_a_run_is_named_is_text_and_nothing_else(hostile: Path, open_page: OpenPage) -> None:
    """Names stay what they are, with everything written out that cannot be seen."""
    told = json.dumps(listed(open_page("runs", hostile)))
    assert "<script>alert(1)</script>" in told
    assert not any(mark in told for mark in ("\\u202e", "\\u200b", "\\u001b")) or "\\\\u202e" in told
    assert open_analysis(hostile).runs.height == len(stores.HOSTILE)
