"""The page Approvals: who is waited for, what they saw, and whether they looked; with the numbers of the report."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import polars as pl
import pytest
from dashboards import stores
from dashboards.conftest import OpenPage

from aftertrace.analyzer import Analysis, Filter, open_analysis
from aftertrace.analyzer.calls.reviews import reviews
from aftertrace.dashboards.addresses import call_query
from aftertrace.dashboards.approval_cards import course
from aftertrace.dashboards.quantities import count, duration, interval, share


def total(analysis: Analysis, chosen: Filter | None = None) -> dict[str, object]:
    """What the approval report counts."""
    return reviews(analysis.select("approvals", chosen).lazy(), []).collect().row(0, named=True)


@pytest.mark.parametrize("agent", [None, "dbbot"])
def test_its_numbers_are_those_of_the_report_for_the_filter_in_the_address(
    agent: str | None, recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """Requests by decision, the share approved with its interval, and waits."""
    found = total(analysis, Filter(agent=agent))
    page = open_page("approvals", recorded, **({} if agent is None else {"agent": agent}))
    assert page.subheader[0].value == f"{count(found['requests'], 'request')}, {found['pending']} waiting"
    told = {each.label: (each.value, each.delta) for each in page.metric}
    assert told["Approved"] == (
        share(found["approval_rate"]),
        f"{interval(found['low'], found['high'])} of {found['answers']}",
    )
    assert told["Median wait"][0] == duration(found["wait_p50_ns"])
    assert (told["Waiting"][0], told["Signals of no review"][0]) == (f"{found['pending']}", f"{found['signals']}")
    answered = analysis.select("approvals", Filter(agent=agent), only=pl.col("decision") != "pending")
    people = reviews(answered.lazy(), ["reviewer", "reviewer_identity", "decided_by"]).collect()
    shown = page.dataframe[-1].value
    assert sorted(shown["requests"]) == sorted(people["requests"])
    assert shown["overrides"].sum() == (people["modified"] + people["rejected"]).sum()


def test_those_that_wait_come_first_with_how_long_and_what_was_shown(
    recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """The one that waits longest is opened, word for word."""
    page = open_page("approvals", recorded)
    decisions = [each[0] for each in page.dataframe[0].value["decision"]]
    waiting = decisions.count("waiting")
    assert (waiting > 0, decisions[:waiting]) == (True, ["waiting"] * waiting)
    assert page.dataframe[0].value["so_far"][0] not in ("not told", "0 ms")
    longest = analysis.approvals.filter(decision="pending").sort("first_ns", "call_key")
    assert page.get("page_link")[-1].proto.query_string == urlencode(call_query(longest.row(0, named=True)))
    assert longest["arguments"][0] in [each.value for each in page.code]


@pytest.mark.parametrize(
    ("queue", "decisions"), [("waiting", ["waiting"]), ("edited", ["modified"]), ("refused", ["rejected"])]
)
def test_a_queue_in_the_address_holds_its_decisions_alone(
    queue: str, decisions: list[str], recorded: Path, analysis: Analysis, open_page: OpenPage
) -> None:
    """All of them, and nothing else."""
    shown = open_page("approvals", recorded, queue=queue).dataframe[0].value
    told = pl.col("decision").replace("pending", "waiting")
    assert [each[0] for each in shown["decision"]] == decisions * analysis.approvals.filter(
        told.is_in(decisions)
    ).height
    assert len(shown) > 0


def test_the_chosen_request_is_the_one_in_the_address(recorded: Path, analysis: Analysis, open_page: OpenPage) -> None:
    """With its edit as a diff, and its course from the proposal to the result."""
    edited = analysis.approvals.filter(decision="modified").row(0, named=True)
    page = open_page("approvals", recorded, approval=edited["call_key"])
    codes = [each.value for each in page.code]
    assert "@@ /amount\n- 900\n+ 5" in codes
    assert edited["shown"] in codes
    told = page.dataframe[1].value
    assert told["what"].to_list() == [
        "proposed",
        "asked, shown the text below",
        "modified by human",
        "began to run",
        "over: modified",
    ]
    assert told["after_s"].is_monotonic_increasing
    assert page.get("page_link")[-1].proto.query_string == urlencode(call_query(edited))


def test_calls_that_ran_past_a_control_are_listed(tmp_path: Path, open_page: OpenPage) -> None:
    """The one that a person refused, and that ran."""
    page = open_page("approvals", stores.uncontrolled(tmp_path / "data"), queue="ran past it")
    told = {each.label: each.value for each in page.metric}
    assert told["Ran past a control"] == "1"
    assert page.dataframe[0].value["failed"].to_list() == ["ran_refused"]


def test_where_no_call_ran_past_a_control_it_says_so(weeks: Path, open_page: OpenPage) -> None:
    """Calmly."""
    page = open_page("approvals", weeks, queue="ran past it")
    assert [each.value for each in page.success] == ["No call ran past a control, as far as is recorded."]


def test_the_course_tells_every_decision_on_the_call(recorded: Path) -> None:
    """A policy that asks, and the person who answers; without a call, what the request itself tells."""
    analysis = open_analysis(recorded)
    row = analysis.approvals.filter(decision="rejected").row(0, named=True)
    of_call = pl.col("call_key") == row["call_key"]
    decisions = analysis.decisions.filter(of_call)
    told = course(row, analysis.calls.filter(of_call), decisions)["what"].to_list()
    assert sum(word.startswith("rejected") for word in told) >= 1
    assert len(told) >= decisions.filter(pl.col("decided_at").is_not_null()).height
    alone = course(row, analysis.calls.clear(), analysis.decisions.clear())["what"].to_list()
    assert set(alone) <= {"asked", "asked, shown the text below", "rejected"}
