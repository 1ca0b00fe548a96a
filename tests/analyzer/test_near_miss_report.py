"""The near-miss report: closed periods stay as they are, changes have their certainty, and counts say their floor."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Filter, analyse
from aftertrace.analyzer.documents import html, markdown
from aftertrace.analyzer.documents.periods import SETTLED_AFTER_NS, Period
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.analyzer.reports import near_miss_json
from aftertrace.analyzer.reports.autonomy import autonomy
from aftertrace.analyzer.reports.near_miss_figures import figures
from aftertrace.analyzer.reports.near_miss_report import near_misses, told
from aftertrace.ingest.redaction_policy import make_policy
from aftertrace.store.refusals import Refusals

from . import frames
from .frames import LATER_NS, RECEIVED_NS, Frames
from .stories import AT_NS, DAY_NS, event, stored

HOUR_NS = 3600 * 10**9
SINCE, UNTIL = AT_NS - HOUR_NS, AT_NS + HOUR_NS
AS_OF = UNTIL + SETTLED_AFTER_NS
CLOSED = Period.of(SINCE, UNTIL, now_ns=AS_OF)
HOSTILE = "pay|[x](http://e)<script>\u202e"


def story(call: str, state: str, *, s: float = 0.0, tool: str = "pay", **more: Any) -> list[dict[str, Any]]:
    """A call that was proposed, and what was told of it."""
    about = {"call_id": call, "tool_name": tool, **more}
    ending = (
        event("tool.called", "completed", s=s + 1, **about)
        if state == "ran"
        else event("policy.evaluated", "deny", s=s + 1, decided_by=state, **about)
    )
    return [event("action.proposed", "proposed", s=s, arguments='{"to":"EH90"}', **about), ending]


def asked(call: str, answer: str, **more: Any) -> list[dict[str, Any]]:
    """A call that somebody was asked about."""
    about = {"call_id": call, "tool_name": "pay", "arguments": '{"to":"EH90"}', **more}
    rows = [event("action.proposed", "proposed", **about), event("approval.requested", s=1, **about)]
    rows.append(event(f"approval.{answer}", s=2, decided_by="human", reviewer="ana", **about))
    return [*rows, event("tool.called", "completed", s=3, **about)] if answer == "granted" else rows


EARLY = [*story("c-1", "human"), *story("c-2", "ran"), *story("c-3", "hook", tool=HOSTILE, s=5)]
LATE = [
    event("tool.called", "completed", s=3, call_id="c-1", received_ns=AS_OF),
    *story("c-4", "policy", s=9, received_ns=AS_OF + 1),
    *story("c-5", "policy", s=2 * 24 * 3600, received_ns=AS_OF + 2 * DAY_NS),
]


def reports(frames: Frames, period: Period = CLOSED, as_of_ns: int = AS_OF, *refused: Refusals) -> list[str]:
    """The report of a period in every format, over what a store holds."""
    analysis = analyse(frames.tables(*refused).received_before(as_of_ns), now_ns=as_of_ns)
    found = figures(analysis, period, Filter())
    return [near_miss_json.written(found), markdown.written(told(found)), html.written(told(found))]


def test_a_closed_period_is_the_same_byte_for_byte_however_the_store_grows() -> None:
    """What comes late changes a call of it, adds one, and adds one of a later period; rows come in another order."""
    then, now = stored(*EARLY), stored(*EARLY, *LATE)
    shuffled = Frames(now.spans, now.events.sample(fraction=1.0, shuffle=True, seed=7), now.evidence)
    refused = Refusals("2027-01-19", "shop", "traces", 400, 3)
    assert reports(then) == reports(now) == reports(shuffled) == reports(now, CLOSED, AS_OF, refused)


def test_the_control_sees_what_came_late() -> None:
    """Negative control: by all that is stored now, the same period is another."""
    then, now = stored(*EARLY), stored(*EARLY, *LATE)
    later = Period.of(SINCE, UNTIL, now_ns=AS_OF + 9 * DAY_NS, as_of_ns=AS_OF + 9 * DAY_NS)
    assert [json.loads(reports(each, later, later.as_of_ns)[0])["totals"]["calls"] for each in (then, now)] == [3, 4]
    refused = Refusals("2027-01-15", "shop", "traces", 400, 3)
    assert reports(then) != reports(then, CLOSED, AS_OF, refused)


def test_what_is_received_at_the_very_moment_it_closes_does_not_count() -> None:
    """And what is received just before does."""
    for received_ns, calls in ((AS_OF - 1, 4), (AS_OF, 3)):
        rows = [*EARLY, *story("c-4", "policy", s=9, received_ns=received_ns)]
        assert json.loads(reports(stored(*rows))[0])["totals"]["calls"] == calls


def runs_of(states: list[str], s: float) -> list[dict[str, Any]]:
    """A run with one call for each."""
    return [
        row
        for at, state in enumerate(states)
        for row in story("c-1", state, s=s, conversation_id=f"s-{s}-{at}", trace_id=f"{at + 1000 * (s < 0):032x}")
    ]


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (["ran"] * 10, ["human"] * 10, "higher"),
        (["human"] * 10, ["ran"] * 10, "lower"),
        (["ran", "human"] * 5, ["human", "ran"] * 5, "no clear change"),
        (["ran"] * 3, ["ran", "ran", "human"], "no clear change"),
        ([], ["human"], "not known"),
    ],
)
def test_a_rate_is_higher_or_lower_where_chance_does_not_explain_it(
    before: list[str], now: list[str], verdict: str
) -> None:
    """One refusal more in three calls is no change."""
    rows = [*runs_of(before, -2 * 3600.0), *runs_of(now, 1.0)]
    found = figures(stored(*rows).analysis(LATER_NS), Period.of(SINCE, UNTIL, now_ns=UNTIL), Filter())
    assert found.rate_changed == verdict


def test_the_report_says_what_changed_and_which_kinds_are_new() -> None:
    """Against the period before, which is as long and ends where this one begins."""
    before = -2 * 3600.0
    rows = [*story("c-0", "human", s=before), *story("c-9", "ran", s=before), *EARLY]
    found = figures(stored(*rows).analysis(LATER_NS), Period.of(SINCE, UNTIL, now_ns=UNTIL), Filter())
    assert found.before is not None
    assert (found.before.calls, found.before.near_misses, found.totals.calls, found.totals.near_misses) == (2, 1, 3, 2)
    assert found.kinds.select("tool_name", "is_new").rows() == [("pay", False), (HOSTILE, True)]
    text = markdown.written(told(found))
    assert "| Near misses | ≥ 2 | ≥ 1 | +1 |" in text
    assert "| no clear change |" in text
    assert "New since then: 1 kind." in text


def test_without_a_period_before_nothing_is_new_and_nothing_changed() -> None:
    """What is not known is not told as zero."""
    found = figures(stored(*EARLY).analysis(), Period.of(None, None, now_ns=LATER_NS), Filter())
    assert (found.before, found.kinds["is_new"].to_list()) == (None, [None, None])
    assert "this report begins with the first record" in markdown.written(told(found))
    unknown = figures(stored(*EARLY).analysis(), Period.of(SINCE, None, now_ns=LATER_NS), Filter())
    assert unknown.before is None
    assert "Nothing is recorded of it" in markdown.written(told(unknown))


def test_counts_are_complete_where_nothing_may_be_missing() -> None:
    """A run that ended, of an emitter that hides nothing."""
    ended = event("run.completed", s=20, tool_name=None, call_id=None)
    found = figures(stored(*EARLY, ended).analysis(), CLOSED, Filter())
    assert (found.floors, found.is_floor, found.kinds["floor"].to_list()) == ((), False, [False, False])
    assert "≥" not in markdown.written(told(found))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([event("action.proposed", "proposed", call_id="c-8", s=2)], "pending"),
        (
            [event("tool.called", "completed", call_id="c-8", s=2, conversation_id="s-8", trace_id="8" * 32)],
            "hidden_refusals",
        ),
        ([], "open_runs"),
    ],
)
def test_each_reason_for_a_floor_is_told_with_how_much_of_it_there_is(rows: list[Any], reason: str) -> None:
    """A run that goes on, a call that waits, an emitter that says nothing of proposals."""
    found = figures(stored(*EARLY, *rows).analysis(), CLOSED, Filter())
    assert reason in [each.name for each in found.floors]
    assert found.is_floor
    assert "**At least 2 consequential near misses**" in markdown.written(told(found))


def test_what_was_lost_on_the_way_makes_every_count_a_floor() -> None:
    """On the days of the period; on other days it does not."""
    ended = event("run.completed", s=20, tool_name=None, call_id=None)
    floor = {}
    for day in ("2027-01-15", "2027-01-17"):
        refused = Refusals(day, "shop", "traces", 400, 3)
        tables: Tables = stored(*EARLY, ended).tables(refused)
        found = figures(analyse(tables, now_ns=AS_OF + 9 * DAY_NS), CLOSED, Filter())
        floor[day] = [(each.name, each.quantity) for each in found.floors], found.kinds["floor"].to_list()
    assert floor == {
        "2027-01-15": ([("refused", "at least 3 requests")], [True, True]),
        "2027-01-17": ([], [False, False]),
    }


def test_calls_whose_content_the_configuration_leaves_out_make_their_counts_floors() -> None:
    """Theirs, and of nobody else on these days: an edit of their arguments may not be seen."""
    left_out = {"agent_name": "clerk", "flags": '["left_out:2"]'}
    asked = [event("action.proposed", "proposed", **left_out), event("tool.called", "completed", s=1, **left_out)]
    named = {"call_id": "c-2", "agent_name": "guide", "trace_id": "2" * 32}
    told = [event("action.proposed", "proposed", **named), event("tool.called", "completed", s=1, **named)]
    found = figures(stored(*asked, *told).analysis(), Period(None, LATER_NS, LATER_NS), Filter())
    assert [(each.name, each.quantity) for each in found.floors if each.hides and each.name != "open_runs"] == [
        ("content_left_out", "1 call")
    ]
    by_agent = stored(*asked, *told).analysis().rates(["agent_name"]).select("agent_name", "floor")
    assert dict(by_agent.iter_rows()) == {"clerk": True, "guide": False}


def test_a_report_of_left_out_content_counts_as_that_of_the_full_one_and_says_that_it_is_a_floor() -> None:
    """The refusal of this recording is nothing but the text of a result."""
    path = frames.RECORDINGS / "langchain" / "langsmith_twice_the_same.otlp.jsonl"
    told_of = {}
    for mode in ("full", "digest-only", "metadata-only"):
        analysis = frames.of_requests(frames.lines(path), make_policy(capture=mode)).analysis()
        found = figures(analysis, Period(None, LATER_NS, LATER_NS), Filter())
        told_of[mode] = (found.totals.near_misses, [each.quantity for each in found.floors if "left_out" in each.name])
    assert told_of == {"full": (1, []), "digest-only": (1, ["2 calls"]), "metadata-only": (1, ["2 calls"])}


def earned(*rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What the agent has earned with the tool."""
    analysis: Analysis = stored(*rows).analysis()
    found = autonomy(analysis.calls.lazy(), analysis.approvals.lazy()).collect()
    return found.select("answers", "as_proposed", "edited", "refused", "earned").rows()


def test_more_is_earned_by_thirty_five_approvals_in_a_row_and_not_by_thirty_four() -> None:
    """Even the lower end of the share must be nine in ten."""
    rows = [row for at in range(35) for row in asked(f"c-{at}", "granted")]
    assert earned(*rows) == [(35, 35, 0, 0, "more")]
    assert earned(*rows[4:]) == [(34, 34, 0, 0, "as it is")]


def test_less_is_due_where_people_correct_and_none_is_judged_by_hasty_answers() -> None:
    """Two of five refused is enough; an approval faster than reading says nothing."""
    some = [row for at in range(3) for row in asked(f"c-{at}", "granted")]
    refused = [row for at in range(3, 5) for row in asked(f"c-{at}", "rejected")]
    assert earned(*some, *refused) == [(5, 3, 0, 2, "less")]
    long = json.dumps({"text": "x" * 2000}, separators=(",", ":"))
    hasty = [row for at in range(40) for row in asked(f"c-{at}", "granted", arguments=long)]
    assert earned(*hasty) == [(40, 40, 0, 0, "not judged")]


def test_nothing_is_judged_by_fewer_than_five_answers() -> None:
    """However they fell: one refusal is no habit."""
    rows = [row for at in range(5) for row in asked(f"c-{at}", "rejected")]
    per_call = len(rows) // 5
    assert [earned(*rows[: n * per_call])[0][-1] for n in (1, 4, 5)] == ["not judged", "not judged", "less"]
    some = [row for at in range(4) for row in asked(f"c-{at}", "granted")]
    assert earned(*some) == [(4, 4, 0, 0, "not judged")]


def test_the_risk_of_a_tool_is_that_of_the_first_of_its_calls() -> None:
    """In whatever order they are read."""
    rows = [row for at in range(3) for row in asked(f"c-{at}", "granted")]
    analysis = stored(*rows).analysis()
    risks = pl.Series(["write", "money", "read"])
    calls = analysis.calls.sort("tool_call_id").with_columns(risk=risks, first_ns=pl.Series([7, 5, None]))
    for seed in range(4):
        shuffled = calls.sample(fraction=1.0, shuffle=True, seed=seed).lazy()
        assert autonomy(shuffled, analysis.approvals.lazy()).collect()["risk"].to_list() == ["money"]


def test_hostile_names_are_text_in_every_format() -> None:
    """A tool of a prompt-injected agent is named so."""
    as_json, as_markdown, as_html = reports(stored(*EARLY))
    assert HOSTILE in {row["tool_name"] for row in json.loads(as_json)["kinds"]}
    assert as_json.isascii()
    assert "\u202e" not in as_markdown + as_html
    assert "<script" not in as_html
    assert "`pay\\|[x](http://e)<script>‹U+202E›`" in as_markdown
    # Nobody can type it, so no command lists its rows alone: the latest run leads there.
    (kind,) = [row for row in json.loads(as_json)["kinds"] if row["tool_name"] == HOSTILE]
    assert (kind["rows"], len(kind["run_ids"])) == (None, 1)


def test_a_period_without_calls_says_so() -> None:
    """In every format, and without a rate."""
    empty = near_misses(stored(*EARLY).analysis(), Period.of(UNTIL, UNTIL + 1, now_ns=AS_OF))
    assert "No calls are recorded." in markdown.written(empty)
    assert json.loads(reports(stored(), CLOSED)[0])["totals"]["rate"] == {"share": None, "low": None, "high": None}


def test_the_trend_counts_each_call_once() -> None:
    """In the step in which it began."""
    found = figures(stored(*EARLY).analysis(), CLOSED, Filter())
    assert found.trend["calls"].sum() == found.totals.calls == 3
    assert found.trend.filter(pl.col("calls") > 0).select("near_misses", "calls").rows() == [(2, 3)]
    assert RECEIVED_NS < AS_OF
