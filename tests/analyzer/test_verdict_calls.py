"""A gateway's verdict is put on a call where it can be about no other, and on none of another run's."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from .frames import Frames
from .stories import PROPOSED, TRACE, calls_of, event, stored
from .test_gateways import EDGE
from .test_invariants import PER_THREAD, only, united

DRAWN: Final = "toolu_01A2b3C4d5E6f7G8h9J0kL"
"""An id that no other call has."""


def verdict(state: str = "deny", *, s: float = 2.5, **columns: Any) -> dict[str, Any]:
    """A gateway's, on a call of `pay` in the agent's trace."""
    check = None if state == "deny" else '{"weight":"check"}'
    row = {**EDGE, "trace_id": TRACE, "tool_name": "pay", "attributes": check}
    return event("policy.evaluated", state, s=s, **{**row, **columns})


def call(call_id: str | None, state: str | None, s: float = 2, **columns: Any) -> list[dict[str, Any]]:
    """A call that was proposed at once, and that ran for a second unless nothing more is known of it."""
    proposed = {**PROPOSED, "call_id": call_id, **columns}
    ran = event("tool.called", state, s=s, call_id=call_id, **columns)
    return [proposed, {**ran, "end_ns": ran["time_ns"] + 10**9}] if state else [proposed]


def told(*events: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Outcome, basis, and who decided, by conversation and call."""
    return {
        f"{row['conversation_id']} {row['tool_call_id']}": (row["outcome"], row["basis"], row["decided_by"])
        for row in calls_of(*events).to_dicts()
    }


RAN: Final = ("executed", "explicit", None)
FAILED: Final = ("failed", "explicit", None)
LOST: Final = ("pending", "inferred", None)
DENIED: Final = ("denied", "explicit", "policy")
DEDUCED: Final = ("denied", "inferred", "policy")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("failed", "completed", (DEDUCED, RAN)),
        ("completed", "failed", (RAN, DEDUCED)),
        (None, "completed", (DEDUCED, RAN)),
        ("failed", "failed", (FAILED, FAILED)),
        ("failed", None, (FAILED, LOST)),
        ("completed", "completed", (RAN, RAN)),
    ],
)
def test_of_two_calls_at_once_the_refused_one_is_the_one_that_did_not_complete(
    first: str | None, second: str | None, expected: tuple[Any, Any]
) -> None:
    """That is deduced, and not stated. Where both may be meant, or none, neither is: it stays with its run."""
    calls = [*call("c-1", first), *call("c-2", second)]
    assert told(*calls, verdict()) == dict(zip(("s-1 c-1", "s-1 c-2"), expected, strict=True))


def test_a_verdict_that_is_about_no_call_stays_with_its_run() -> None:
    """In its timeline, and among the checks of its answers."""
    analysis = stored(*call("c-1", "failed"), *call("c-2", "failed"), verdict(reason="over 5")).analysis()
    (run,) = analysis.runs["run_id"]
    shown = analysis.timeline(run)
    assert shown.filter(shown["lane"] == "control").select("what", "tool_call_id", "detail").rows() == [
        ("policy.evaluated deny", None, "over 5")
    ]
    assert analysis.decisions.height == 0


def test_arguments_tell_which_of_several_calls_was_refused() -> None:
    """Both failed. Arguments of none of them name none."""
    calls = [
        *call("c-1", "failed", arguments_digest="sha256:a"),
        *call("c-2", "failed", arguments_digest="sha256:b"),
    ]
    assert told(*calls, verdict(arguments_digest="sha256:a")) == {"s-1 c-1": DENIED, "s-1 c-2": FAILED}
    assert told(*calls, verdict(arguments_digest="sha256:c")) == {"s-1 c-1": FAILED, "s-1 c-2": FAILED}


def test_as_many_equal_verdicts_as_there_are_calls_are_about_one_each() -> None:
    """Whichever it is. Two on three calls are about none."""
    two = [*call("c-1", "failed"), *call("c-2", "failed")]
    assert told(*two, verdict(), verdict(s=2.6)) == {"s-1 c-1": DEDUCED, "s-1 c-2": DEDUCED}
    three = [*two, *call("c-3", "failed")]
    assert set(told(*three, verdict(), verdict(s=2.6)).values()) == {FAILED}
    ran = [*call("c-1", "completed"), *call("c-2", "completed")]
    allowed = [verdict("allow"), verdict("allow", s=2.6)]
    assert set(told(*ran, *allowed).values()) == {("executed", "explicit", "policy")}


def test_a_call_that_was_over_or_had_not_begun_was_not_refused() -> None:
    """One after the other: each verdict falls into one call's time, give or take a second."""
    calls = [*call("c-1", "failed", 2), *call("c-2", "failed", 12), *call("c-3", "failed", 22)]
    for row, s in zip(calls[::2], (1, 11, 21), strict=True):
        row["time_ns"] += s * 10**9
    found = told(*calls, verdict(s=12.5))
    assert found == {"s-1 c-1": FAILED, "s-1 c-2": DENIED, "s-1 c-3": FAILED}


def test_a_counted_id_is_a_call_of_the_conversation_whose_trace_the_verdict_lies_in() -> None:
    """`call_1` is told of in two: no third call is made of it, nor by a verdict that lies in neither trace."""
    second = {"trace_id": "2" * 32, "conversation_id": "s-2"}
    both = [*call("call_1", "failed"), *call("call_1", "failed", **second)]
    assert told(*both, verdict(call_id="call_1")) == {"s-1 call_1": DENIED, "s-2 call_1": FAILED}
    assert told(*both, verdict(call_id="call_1", **{**second, "conversation_id": None})) == {
        "s-1 call_1": FAILED,
        "s-2 call_1": DENIED,
    }
    for trace in (None, "3" * 32):
        astray = verdict(call_id="call_1", trace_id=trace)
        assert told(*both, astray) == {"s-1 call_1": FAILED, "s-2 call_1": FAILED}
        assert told(*both, {**astray, "conversation_id": "s-2"}) == {"s-1 call_1": FAILED, "s-2 call_1": DENIED}


@pytest.mark.parametrize("trace", [None, "3" * 32], ids=["no trace", "a trace of its own"])
def test_an_id_that_was_drawn_names_its_call_from_anywhere_in_the_source(trace: str | None) -> None:
    """The verdict is a record of the agent's run then; one of another source is none."""
    refusal = verdict(call_id=DRAWN, trace_id=trace, tool_name=None)
    assert told(*call(DRAWN, "failed"), refusal) == {f"s-1 {DRAWN}": DENIED}
    analysis = stored(*call(DRAWN, "failed"), refusal).analysis()
    assert analysis.runs.select("service_name", "records").rows() == [("shop", 3)]
    assert told(*call(DRAWN, "failed"), {**refusal, "source": "other"})[f"s-1 {DRAWN}"] == FAILED


def test_a_verdict_that_goes_to_an_agents_run_takes_no_other_of_its_trace_with_it() -> None:
    """Nor its conversation, which nobody but the gateway names: whoever reads either run alone reads the same."""
    elsewhere: dict[str, Any] = {"trace_id": "e" * 32, "tool_name": None}
    named = verdict(call_id=DRAWN, **{**elsewhere, "conversation_id": "s-9"})
    silent = verdict(call_id="call_7", **{**elsewhere, "conversation_id": None})
    analysis = stored(*call(DRAWN, "failed"), named, silent).analysis()
    assert sorted(analysis.runs.select("records", "conversation_id").rows()) == [(1, None), (3, "s-1")]


def test_a_verdict_that_came_first_names_neither_service_nor_dialect_of_its_call() -> None:
    """The gateway's clock is early, or the agent logs when all is done."""
    early = verdict(call_id="c-1", s=-0.5)
    (row,) = calls_of(*call("c-1", "failed"), early).to_dicts()
    assert (row["outcome"], row["service_name"], row["dialect"], row["agent_name"]) == (
        "denied", "shop", "genai", "clerk",
    )  # fmt: skip


def test_what_a_gateway_calls_a_conversation_is_none_beyond_a_trace() -> None:
    """It names `s-1`, as an agent does, in two traces of its own: the call of each is the first of its run."""
    refusals = [verdict(call_id=f"{DRAWN}{number}", conversation_id="s-1") for number in range(2)]
    refusals[1]["trace_id"] = "e" * 32
    told = calls_of(*call("c-1", "failed", trace_id="2" * 32), *refusals).sort("tool_call_id")
    assert told.select("tool_call_id", "ordinal").rows() == [("c-1", 0), (f"{DRAWN}0", 0), (f"{DRAWN}1", 0)]
    assert told["run_id"].n_unique() == 3


def test_a_verdict_without_a_trace_is_not_drawn_into_one_that_its_gateway_told_of() -> None:
    """Not though both name one conversation: that would take it from its run, or leave it with one that has moved."""
    stray, drawn = verdict(trace_id=None, conversation_id="s-1"), verdict(call_id=DRAWN, conversation_id="s-1")
    alone, beside, agents = (
        stored(*events).analysis().of().identified.events.filter(conversation_id="s-1")["run_id"].unique().to_list()
        for events in ((stray,), (stray, {**drawn, "trace_id": "e" * 32}), call(DRAWN, "failed", conversation_id="s-1"))
    )
    assert len(alone) == len(agents) == 1
    assert len(beside) == 2
    assert set(alone) < set(beside)


TRACES: Final = [f"{number:032x}" for number in (1, 2, 3)]


@st.composite
def runs_and_verdicts(draw: st.DrawFn) -> Frames:
    """Calls of three conversations, one of them of a source of its own, and verdicts from anywhere."""
    rows: list[dict[str, Any]] = []
    places = (("s-1", TRACES[0], "anonymous"), ("s-2", TRACES[1], "anonymous"), ("s-3", TRACES[2], "other"))
    for number in range(draw(st.integers(1, 5))):
        conversation, trace, source = draw(st.sampled_from(places))
        call_id = draw(st.sampled_from(("c-1", "c-2", f"{DRAWN}{number}", None)))
        state = draw(st.sampled_from((None, "completed", "failed")))
        digest = draw(st.sampled_from((None, "sha256:a", "sha256:b")))
        about = {"conversation_id": conversation, "trace_id": trace, "source": source, "arguments_digest": digest}
        rows += call(call_id, state, draw(st.integers(1, 3)), **about)
    for _ in range(draw(st.integers(1, 4))):
        rows.append(
            verdict(
                draw(st.sampled_from(("deny", "allow"))),
                s=draw(st.integers(0, 5)),
                call_id=draw(st.sampled_from((None, "c-1", f"{DRAWN}0", f"{DRAWN}1"))),
                tool_name=draw(st.sampled_from((None, "pay", "read"))),
                trace_id=draw(st.sampled_from((None, *TRACES, "e" * 32))),
                conversation_id=draw(st.sampled_from((None, "s-1"))),
                source=draw(st.sampled_from(("anonymous", "other"))),
                arguments_digest=draw(st.sampled_from((None, "sha256:a", "sha256:b"))),
            )
        )
    return stored(*rows)


@settings(max_examples=12)
@given(whole=runs_and_verdicts())
def test_what_a_verdict_is_about_rests_on_the_records_of_its_own_run(whole: Frames) -> None:
    """Each run is analysed alone."""
    analysis = whole.analysis()
    runs = analysis.of().identified.events.select("seq", "run_id").unique()
    parts = [only(whole, "seq", set(of_run["seq"])).analysis() for _, of_run in runs.group_by("run_id")]
    assert len(parts) == runs["run_id"].n_unique()
    for table in PER_THREAD:
        assert_frame_equal(united(parts, table), united([analysis], table))
