"""Effects: what changed, by which call, and where a receipt and the calls do not agree."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer import Analysis, Filter
from aftertrace.analyzer.documents import markdown
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.effects.table import SIGNALS
from aftertrace.analyzer.reports.near_miss_report import near_misses

from .frames import LATER_NS
from .stories import COMPLETED, PROPOSED, event, span, stored

PAID: Final = PROPOSED | {"arguments_digest": "sha256:paid"}
OTHER: Final = {"arguments_digest": "sha256:other"}
NOBODYS: Final = {"tool_name": None, "call_id": None}


def receipt(s: float = 9, name: str = "effect.applied", **told: Any) -> dict[str, Any]:
    """Twelve euros were paid out; columns of the row are told by name, parts of the receipt by `effect_…`."""
    parts = {key: told.pop(key) for key in list(told) if key.startswith("effect_")}
    of = {"effect_system": "stripe", "effect_operation": "create", "effect_object_id": "re_1", **parts}
    return event(name, s=s, attributes=json.dumps(of), **told)


def other_call(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows, of a second call."""
    return [{**row, "call_id": "c-2"} for row in rows]


STORIES: Final = {
    "by its call": ([PROPOSED, COMPLETED, receipt()], [[]]),
    "by no call": ([PROPOSED, COMPLETED, receipt(**NOBODYS)], [["no_call"]]),
    "by a call that is nowhere else": ([PROPOSED, COMPLETED, receipt(call_id="c-9")], [["no_call"]]),
    "blocked, by no call": ([receipt(name="effect.blocked", **NOBODYS)], [[]]),
    "told twice by one call": ([PROPOSED, COMPLETED, receipt(9), receipt(10)], [[], []]),
    "with two receipts": (
        [PAID, COMPLETED, receipt(9, effect_receipt_id="1"), receipt(10, effect_receipt_id="2")],
        [["applied_twice"], ["applied_twice"]],
    ),
    "by two calls": (
        [PAID, COMPLETED, receipt(9), *other_call(PAID, COMPLETED, receipt(10))],
        [["applied_twice"], ["applied_twice"]],
    ),
    "once blocked, then applied": (
        [PAID, COMPLETED, receipt(9, "effect.blocked", effect_receipt_id="1"), receipt(10, effect_receipt_id="2")],
        [[], []],
    ),
    "by two calls that asked for different things": (
        [
            PAID,
            COMPLETED,
            receipt(9),
            *other_call(PAID | {"arguments_digest": "sha256:closed"}, COMPLETED, receipt(10)),
        ],
        [[], []],
    ),
    "by two calls of which nobody knows what they asked for": (
        [PROPOSED, COMPLETED, receipt(9), *other_call(PROPOSED, COMPLETED, receipt(10))],
        [[], []],
    ),
    "by two calls under one key": (
        [
            PROPOSED,
            COMPLETED,
            receipt(9, effect_idempotency_key="k"),
            *other_call(PROPOSED, COMPLETED, receipt(10, effect_idempotency_key="k")),
        ],
        [["applied_twice"], ["applied_twice"]],
    ),
    "by two calls that left it alike": (
        [
            PROPOSED,
            COMPLETED,
            receipt(9, effect_after_digest="sha256:1"),
            *other_call(PROPOSED, COMPLETED, receipt(10, effect_after_digest="sha256:1")),
        ],
        [["applied_twice"], ["applied_twice"]],
    ),
    "to two objects": (
        [
            PAID,
            COMPLETED,
            receipt(9, effect_receipt_id="1"),
            receipt(10, effect_receipt_id="2", effect_object_id="x"),
        ],
        [[], []],
    ),
    "to an object that changed on": (
        [
            PAID,
            COMPLETED,
            receipt(9, effect_receipt_id="1", effect_after_digest="sha256:1"),
            receipt(10, effect_receipt_id="2", effect_before_digest="sha256:1", effect_after_digest="sha256:2"),
        ],
        [[], []],
    ),
    "to an object that is not named": (
        [PAID, COMPLETED, *(receipt(9, effect_receipt_id=each, effect_object_id=None) for each in "12")],
        [[], []],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_signal_is_raised_where_effects_and_calls_do_not_agree(name: str) -> None:
    """One story each; the quiet ones show that the loud ones are heard for their own reason."""
    rows, signals = STORIES[name]
    assert stored(*rows).analysis().effects["signals"].to_list() == signals


def test_every_signal_has_a_story() -> None:
    """A new one must come with its own."""
    told = {name for _, rows in STORIES.values() for signals in rows for name in signals}
    assert told == {signal.name for signal in SIGNALS}


def test_a_receipt_within_the_span_of_a_tool_is_of_its_call() -> None:
    """A client library tells of it, and does not know the call."""
    tool = span("execute_tool", span_id="a" * 16, call_id="c-1", tool_name="pay")
    inner = span(None, span_id="b" * 16, parent_span_id="a" * 16)
    ran = {**COMPLETED, "span_id": "a" * 16}
    found = stored(PROPOSED, ran, receipt(**NOBODYS, span_id="b" * 16), spans=(tool, inner)).analysis()
    (row,) = found.effects.select("tool_call_id", "tool_name", "signals").rows()
    assert row == ("c-1", "pay", [])
    outside = stored(PROPOSED, ran, receipt(**NOBODYS, span_id="c" * 16), spans=(tool, inner)).analysis()
    assert outside.effects["signals"].to_list() == [["no_call"]]


def test_a_receipt_within_a_tool_that_has_no_call_id_is_not_said_to_have_no_call() -> None:
    """Some instrumentations leave ids out: which call it was is not known, that there was one is."""
    tool = span("execute_tool", span_id="a" * 16, call_id=None, tool_name="pay")
    found = stored(receipt(**NOBODYS, span_id="a" * 16), spans=(tool,)).analysis()
    assert found.effects.select("call_key", "signals").rows() == [(None, [])]


def test_a_call_that_claims_an_effect_which_was_blocked_is_a_failed_control() -> None:
    """Unless it was applied after all, or the call itself says that it failed."""
    blocked = event("effect.blocked", s=7, decided_by="policy", rule="sandbox_outcome")
    failed = event("tool.called", "failed", s=8)
    told = [
        stored(PROPOSED, blocked, *rest).analysis().calls["signals"].to_list()
        for rest in ([COMPLETED], [failed], [COMPLETED, receipt(9)], [])
    ]
    assert told == [[["effect_missing"]], [[]], [[]], [[]]]


def report(analysis: Analysis, wanted: Filter | None = None) -> str:
    """The near-miss report of all that is recorded, as Markdown."""
    return markdown.written(near_misses(analysis, Period.of(None, None, now_ns=LATER_NS), wanted))


def test_the_report_counts_effects_that_no_call_explains() -> None:
    """And escapes what the receipt says."""
    text = report(stored(PROPOSED, COMPLETED, receipt(**NOBODYS, effect_object_id="<b>|")).analysis())
    assert "- Control failures: 1 · a control that should have held did not\n" in text
    assert "| `no_call` | 1 | something changed, and no call of the run is on record that did it |\n" in text
    assert "| `no_call` | create stripe \\<b\\>\\| | not told |" in text
    quiet = report(stored(PROPOSED, COMPLETED, receipt()).analysis())
    assert "- Control failures: 0 · " in quiet
    assert "Where a control failed" not in quiet


def test_what_is_asked_of_calls_leaves_the_effects_of_others_out() -> None:
    """An effect has no outcome and no reviewer of its own: those of its call count, if it has one."""
    granted = event("approval.granted", s=5, decided_by="human", decider="ana")
    analysis = stored(PROPOSED, granted, COMPLETED, receipt(9), receipt(10, **NOBODYS)).analysis()
    found = {
        wanted: analysis.select("effects", wanted)["call_key"].is_not_null().to_list()
        for wanted in (
            Filter(),
            Filter(outcome="executed"),
            Filter(outcome="denied"),
            Filter(reviewer="ana"),
            Filter(reviewer="bob"),
        )
    }
    assert list(found.values()) == [[False, True], [True], [], [True], []]
    assert "no_call" in report(analysis)
    assert "no_call" not in report(analysis, Filter(outcome="denied"))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(("c-1", "c-2", None)), max_size=6), st.booleans())
def test_every_receipt_is_told_once(calls: list[str | None], with_calls: bool) -> None:
    """With calls on record and without."""
    rows = [receipt(s, call_id=call, tool_name=call and "pay") for s, call in enumerate(calls)]
    ran = [{**COMPLETED, "call_id": call} for call in ("c-1", "c-2")] if with_calls else []
    found = stored(*rows, *ran).analysis().effects
    assert sorted(map(str, found["tool_call_id"])) == sorted(map(str, calls))
    lonely = [("no_call" in signals) for signals in found["signals"]]
    assert lonely == [not with_calls or call is None for call in found["tool_call_id"]]
