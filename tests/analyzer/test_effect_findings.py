"""Findings about effects: what does not agree, how sure that is, what shows it; and each with what must stay silent."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer import Analysis
from aftertrace.analyzer.documents.markdown import written
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.effects.findings import KINDS
from aftertrace.analyzer.effects.mismatches import RECEIPTS_FROM
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.reports.near_miss_figures import figures
from aftertrace.analyzer.reports.near_miss_report import near_misses, told

from .frames import LATER_NS, Frames
from .stories import COMPLETED, ENDED, PROPOSED, event, stored

ASKED: Final = {"arguments": '{"amount":900,"order_id":"A-1"}', "arguments_digest": "sha256:a1"}
OTHER: Final = {"arguments": '{"amount":900,"order_id":"A-2"}', "arguments_digest": "sha256:a2"}
HUMAN: Final = {"decided_by": "human", "decider": "ana"}
AFTERTRACE: Final = {"dialect": "aftertrace"}
CLOSED: Final = Period.of(None, None, now_ns=LATER_NS)


def receipt(s: float, **told: Any) -> dict[str, Any]:
    """A receipt of an update of order A-1; parts of it by name, columns of the row by theirs."""
    parts = {"system": "shop", "operation": "update", "object_type": "order", "object_id": "A-1"}
    parts |= {name: told.pop(name) for name in list(told) if name in (*parts, *_PARTS)}
    attributes = {f"effect_{name}": value for name, value in parts.items() if value is not None}
    return event("effect.applied", s=s, attributes=json.dumps(attributes), **told)


_PARTS: Final = ("idempotency_key", "receipt_id", "before_digest", "after_digest")


def call(s: float, call_id: str = "c-1", **more: Any) -> list[dict[str, Any]]:
    """A call that was proposed and ran."""
    whole = {**ASKED, **more, "call_id": call_id}
    return [{**PROPOSED, **whole, "time_ns": at(s)}, {**COMPLETED, **whole, "time_ns": at(s + 1)}]


def refused(s: float, by: str = "human", call_id: str = "c-0", **more: Any) -> list[dict[str, Any]]:
    """A call that was proposed and refused."""
    whole = {**ASKED, **more, "call_id": call_id}
    name, state = ("approval.rejected", None) if by == "human" else ("policy.evaluated", "deny")
    return [{**PROPOSED, **whole, "time_ns": at(s)}, event(name, state, s=s + 1, **{**whole, "decided_by": by})]


def granted(s: float, call_id: str = "c-1", **more: Any) -> dict[str, Any]:
    """A person's leave."""
    return event("approval.granted", s=s, **{**ASKED, **HUMAN, **more, "call_id": call_id})


def allowed(s: float, by: str, call_id: str = "c-1", **more: Any) -> dict[str, Any]:
    """A control's leave."""
    return event("policy.evaluated", "allow", s=s, **{**ASKED, "decided_by": by, **more, "call_id": call_id})


def at(s: float) -> int:
    """A moment of the story."""
    return int(event("", s=s)["time_ns"])


def of_run(nth: int, *rows: dict[str, Any], agent: str = "clerk") -> list[dict[str, Any]]:
    """The rows, in a run and conversation of their own."""
    whose = {"trace_id": f"{nth:032x}", "conversation_id": f"s-{nth}", "agent_name": agent}
    return [{**row, **whose} for row in rows]


def ended(s: float = 20) -> dict[str, Any]:
    """The end of a run."""
    return {**ENDED, "time_ns": at(s)}


def analysed(*rows: dict[str, Any]) -> Analysis:
    """The analysis of a story."""
    frames: Frames = stored(*rows)
    return frames.analysis()


def paid(nth: int, s: float = 0, *, has_receipt: bool = True, order: str = "A", is_over: bool = True) -> list[Any]:
    """A run that updates an order of its own."""
    asked = {"arguments": json.dumps({"order_id": f"{order}-{nth}"}), "arguments_digest": f"sha256:{nth}"}
    rows = call(s, **asked) + ([receipt(s + 2, object_id=f"A-{nth}")] if has_receipt else [])
    return of_run(nth, *rows, *([ended(s + 3)] if is_over else []))


MANY: Final = [row for nth in range(RECEIPTS_FROM + 5) for row in paid(nth, nth)]
"""Enough runs of a tool that gives receipts."""

ONE_RUN: Final[dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]]] = {
    "a call with its receipt": ([*call(1), receipt(3), ended()], []),
    "a change by nobody": ([*call(1), receipt(3, call_id=None, tool_name=None), ended()], [("no_call", "certain")]),
    "a change by nobody, in a run that goes on": ([receipt(3, call_id=None, tool_name=None)], [("no_call", "likely")]),
    "twice under one key": (
        [*call(1), receipt(3, idempotency_key="k"), *call(4, "c-2"), receipt(6, idempotency_key="k", call_id="c-2")],
        [("applied_twice", "certain")],
    ),
    "twice with the same arguments": (
        [*call(1), receipt(3), *call(4, "c-2"), receipt(6, call_id="c-2")],
        [("applied_twice", "likely")],
    ),
    "two new ones with the same arguments": (
        [
            *call(1),
            receipt(3, operation="create", object_id="B-1"),
            *call(4, "c-2"),
            receipt(6, operation="create", object_id="B-2", call_id="c-2"),
        ],
        [("applied_twice", "likely")],
    ),
    "two new ones with other arguments": (
        [
            *call(1),
            receipt(3, operation="create", object_id="B-1"),
            *call(4, "c-2", **OTHER),
            receipt(6, operation="create", object_id="B-2", call_id="c-2"),
        ],
        [],
    ),
    "a retry after a failure that changed nothing": (
        [
            {**PROPOSED, **ASKED, "time_ns": at(0)},
            event("tool.called", "failed", s=1, **ASKED),
            *call(4, "c-2"),
            receipt(6, call_id="c-2"),
        ],
        [],
    ),
    "a retry after a failure that took effect": (
        [
            {**PROPOSED, **ASKED, "time_ns": at(0)},
            event("tool.called", "failed", s=1, **ASKED),
            receipt(2),
            *call(4, "c-2"),
            receipt(6, call_id="c-2"),
        ],
        [("applied_twice", "likely")],
    ),
    "a call after a person's refusal, by a rule": (
        [*refused(0), *call(3), allowed(3.5, "policy")],
        [("ran_after_denial", "certain")],
    ),
    "a call after a person's refusal, by the same person": ([*refused(0), *call(3), granted(3.5)], []),
    "a call after a person's refusal, with other arguments": (
        [*refused(0), *call(3, **OTHER), allowed(3.5, "policy", **OTHER)],
        [],
    ),
    "a call after a control's refusal, by a control": ([*refused(0, "hook"), *call(3), allowed(3.5, "hook")], []),
    "a call after a control's refusal, by whose leave is not told": (
        [*refused(0, "policy"), *call(3)],
        [("ran_after_denial", "possible")],
    ),
    "the same, of an emitter that tells every answer": (
        [{**row, **AFTERTRACE} for row in (*refused(0, "policy"), *call(3))],
        [("ran_after_denial", "certain")],
    ),
    "a call before the refusal": ([*call(1), allowed(1.5, "policy"), *refused(5)], []),
    "calls without arguments": (
        [*refused(0, arguments="{}"), *call(3, arguments="{}"), allowed(3.5, "policy", arguments="{}")],
        [],
    ),
    "a change by a tool that reads": (
        [*call(1, attributes='{"tool_risk_class":"read"}'), receipt(3)],
        [("changed_by_reading", "certain")],
    ),
    "a change by a tool that writes": ([*call(1, attributes='{"tool_risk_class":"write"}'), receipt(3)], []),
    "an effect that was blocked, by a call that says it succeeded": (
        [*call(1), event("effect.blocked", s=1.5, decided_by="policy", rule="sandbox_outcome")],
        [("effect_missing", "certain")],
    ),
    "a call that was refused and ran": (
        [*call(1), event("approval.rejected", s=1.5, **HUMAN)],
        [("ran_refused", "certain")],
    ),
    "a call with other arguments than were approved": (
        [
            {**PROPOSED, **ASKED, "time_ns": at(0)},
            granted(1),
            event("tool.called", "completed", s=2, **OTHER),
        ],
        [("other_arguments", "certain")],
    ),
}  # fmt: skip

SEVERAL: Final[dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]]] = {
    "a tool that always gives receipts": (MANY, []),
    "a tool that gave none once": ([*MANY, *paid(99, 40, has_receipt=False)], [("receipt_missing", "possible")]),
    "one that is on its way": ([*MANY, *paid(99, 40, has_receipt=False, is_over=False)], []),
    "a tool that gave none before it gave any": ([*paid(99, -9, has_receipt=False), *MANY], []),
    "a tool of which few are known": ([*MANY[: 4 * 4], *paid(99, 40, has_receipt=False)], []),
    "a receipt of another order": ([*MANY, *paid(99, 40, order="Z")], [("other_object", "likely")]),
    "orders that go by other names": ([row for nth in range(9) for row in paid(nth, nth, order="Z")], []),
    "two runs that overlap": (
        [*of_run(1, *call(1), receipt(5), ended(9)), *of_run(2, *call(2, **OTHER), receipt(6), ended(9), agent="cook")],
        [("raced", "likely")],
    ),
    "two runs, of which one wrote over what it had not seen": (
        [
            *of_run(1, *call(1), receipt(5, before_digest="sha256:0", after_digest="sha256:1"), ended(9)),
            *of_run(2, *call(2, **OTHER), receipt(6, before_digest="sha256:0", after_digest="sha256:2"), ended(9)),
        ],
        [("raced", "certain")],
    ),
    "two runs after each other": (
        [*of_run(1, *call(1), receipt(5), ended(6)), *of_run(2, *call(7, **OTHER), receipt(8), ended(9), agent="cook")],
        [],
    ),
    "two runs on two orders": (
        [
            *of_run(1, *call(1), receipt(5), ended(9)),
            *of_run(2, *call(2, **OTHER), receipt(6, object_id="A-2"), ended(9)),
        ],
        [],
    ),
    "two runs under one key": (
        [
            *of_run(1, *call(1), receipt(2, idempotency_key="k", object_id="A-1", operation="create"), ended(3)),
            *of_run(2, *call(4), receipt(5, idempotency_key="k", object_id="A-2", operation="create"), ended(6)),
        ],
        [("applied_twice", "certain")],
    ),
    "two runs under one key that the system kept": (
        [
            *of_run(1, *call(1), receipt(2, idempotency_key="k", operation="create"), ended(3)),
            *of_run(2, *call(4), receipt(5, idempotency_key="k", operation="create"), ended(6)),
        ],
        [],
    ),
    "two runs that ask for the same new one": (
        [
            *of_run(1, *call(1), receipt(2, operation="create", object_id="B-1"), ended(3)),
            *of_run(2, *call(4), receipt(5, operation="create", object_id="B-2"), ended(6)),
        ],
        [("applied_twice", "possible")],
    ),
    "two runs that ask for the same new one, an hour apart": (
        [
            *of_run(1, *call(1), receipt(2, operation="create", object_id="B-1"), ended(3)),
            *of_run(2, *call(3600), receipt(3602, operation="create", object_id="B-2"), ended(3603)),
        ],
        [],
    ),
}  # fmt: skip
STORIES: Final = ONE_RUN | SEVERAL


@cache
def everything() -> Analysis:
    """The analysis of all stories, which no test changes."""
    return whole_of_stories().analysis()


def whole_of_stories() -> Frames:
    """All stories in one store, each of a tenant and a sender, and with traces, of its own."""
    return stored(
        *(
            {
                **row,
                "tenant": name,
                "source": name,
                "service_name": name,
                "trace_id": f"{nth:016x}{row['trace_id'][16:]}",
            }
            for nth, (name, (rows, _)) in enumerate(STORIES.items(), start=1)
            for row in rows
        )
    )


@pytest.mark.parametrize("name", STORIES)
def test_what_does_not_agree_is_found_and_nothing_else(name: str) -> None:
    """One story each; the quiet ones are the negative controls of the loud ones."""
    found = everything().effect_findings.filter(pl.col("tenant") == name)
    assert found.select("signal", "certainty").rows() == STORIES[name][1]


def test_every_kind_has_a_story() -> None:
    """A new one must come with its own."""
    assert {signal for _, told_of in STORIES.values() for signal, _ in told_of} == {kind.name for kind in KINDS}


def test_a_finding_names_the_records_that_show_it_and_what_differs() -> None:
    """Both runs of a race; both calls of a denial; the argument and the object."""
    race = analysed(*STORIES["two runs that overlap"][0])
    (row,) = race.effect_findings.iter_rows(named=True)
    first, second = race.runs.sort("first_ns")["run_id"].to_list()
    assert (row["run_id"], row["other_runs"], row["evidence"]) == (second, [first], ["main/3/0", "main/7/0"])
    assert row["what"] == f"written by run {first} of clerk while this one was under way"
    assert (row["object"], row["agent_name"], row["basis"]) == ("shop order A-1", "cook", "explicit")
    denied = analysed(*STORIES["a call after a person's refusal, by a rule"][0]).effect_findings.row(0, named=True)
    assert denied["what"] == "refused before by human, then let through by policy"
    assert denied["evidence"] == ["main/1/0", "main/2/0", "main/3/0", "main/4/0", "main/5/0"]
    other = analysed(*STORIES["a receipt of another order"][0]).effect_findings.row(0, named=True)
    assert other["what"] == "asked for Z-99, changed A-99"


def test_one_that_is_only_possible_is_no_control_failure() -> None:
    """It is listed, and does not count."""
    found = everything().effect_findings
    failures = {
        name: found.filter(pl.col("tenant") == name)["is_failure"].to_list()
        for name in (
            "a call after a person's refusal, by a rule",
            "a call after a control's refusal, by whose leave is not told",
            "two runs under one key",
            "two runs that ask for the same new one",
            "two runs that overlap",
        )
    }
    assert list(failures.values()) == [[True], [False], [True], [False], [False]]


def test_a_call_after_a_denial_is_a_control_failure_of_that_call() -> None:
    """In `calls`, where it is more than possible."""
    signalled = everything().calls.filter(pl.col("signals").list.contains("ran_after_denial"))
    told_of = [name for name, (_, expected) in STORIES.items() if ("ran_after_denial", "certain") in expected]
    assert sorted(signalled.select("tenant", "tool_call_id").rows()) == sorted((name, "c-1") for name in told_of)


def test_the_run_record_tells_what_its_own_run_shows() -> None:
    """With what differs and how sure it is; what others show with it is told in `test_findings_together`."""
    analysis = analysed(*STORIES["a call after a person's refusal, by a rule"][0])
    record = analysis.record(analysis.runs["run_id"][0])
    (finding,) = record.findings
    assert (finding.signal, finding.of, finding.number, finding.certainty) == ("ran_after_denial", "call", 2, "certain")
    assert finding.what == "refused before by human, then let through by policy"
    reading = analysed(*STORIES["a change by a tool that reads"][0])
    assert [each.is_failure for each in reading.record(reading.runs["run_id"][0]).findings] == [False]


def test_what_was_made_twice_is_one_finding_of_a_record_with_both_receipts() -> None:
    """And two changes by nobody are two, each with its own receipt."""
    nobody = {"call_id": None, "tool_name": None}
    twice = STORIES["twice under one key"][0]
    analysis = analysed(*twice, receipt(7, **nobody, object_id="A-8"), receipt(8, **nobody, object_id="A-9"))
    found = analysis.record(analysis.runs["run_id"][0]).findings
    assert [(each.signal, each.number, each.evidence) for each in found] == [
        ("applied_twice", 1, ("main/3/0", "main/6/0")),
        ("no_call", 3, ("main/7/0",)),
        ("no_call", 4, ("main/8/0",)),
    ]


def test_the_report_counts_failures_that_only_several_runs_show_and_lists_the_rest() -> None:
    """Each in its own part."""
    twice = analysed(*STORIES["two runs under one key"][0])
    assert figures(twice, CLOSED, Filter()).totals.failures == 1
    text = written(near_misses(twice, CLOSED))
    assert "| `applied_twice` | certain | the same change was made more than once" in text
    race = analysed(*STORIES["two runs that overlap"][0])
    made = figures(race, CLOSED, Filter())
    assert made.totals.failures == 0
    text = written(told(made))
    assert "What effects and calls do not agree on" in text
    assert "| `raced` | likely | two runs were under way at once and wrote the same object" in text
    quiet = written(near_misses(analysed(*STORIES["two runs after each other"][0]), CLOSED))
    assert "What effects and calls do not agree on" not in quiet


def test_the_order_in_which_rows_came_does_not_matter() -> None:
    """Shuffled, they tell the same."""
    frames = stored(*STORIES["a tool that gave none once"][0], *STORIES["two runs under one key"][0])
    shuffled = Frames(frames.spans, frames.events.sample(fraction=1.0, shuffle=True, seed=3), frames.evidence)
    assert frames.analysis().effect_findings.equals(shuffled.analysis().effect_findings)


def test_hostile_names_of_objects_are_no_paths() -> None:
    """A kind of object that would end a query is only not looked for in arguments."""
    rows = [*call(1), receipt(3, object_type="x'].[*\u202e")]
    analysis = analysed(*rows)
    assert analysis.effect_findings.height == 0
    assert analysis.effects["object_type"].to_list() == ["x'].[*\u202e"]
    assert analysis.sql("SELECT count(*) FROM effect_findings").item() == 0
    assert analysis.effects.filter(pl.col("basis") == "explicit").height == 1
