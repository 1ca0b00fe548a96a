"""From the outside to the run: what is found, in which field, and how sure it is that it was meant."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Filter, Invalid

from .stories import AT_NS, PROPOSED, event, stored
from .test_run_record import STORY

PUSHED: Final = event(
    "tool.called", "completed", s=30, end_ns=None, tool_name="Bash", call_id="c-2", conversation_id="s-2",
    trace_id="2" * 32, agent_name="coder", tenant="shop", arguments='{"command":"git push"}',
    content="[main 3f2a9c1] fix\nhttps://github.com/octo/demo/pull/12",
)  # fmt: skip
FAILED: Final = event(
    "tool.called", "failed", s=40, end_ns=None, tool_name="Bash", call_id="c-3", conversation_id="s-2",
    trace_id="2" * 32, agent_name="coder", tenant="shop", arguments='{"command":"make"}', reason="E1234 no rule",
)  # fmt: skip


def analysis() -> Analysis:
    """Two runs: one pays, the other pushes."""
    return stored(*STORY, PUSHED, FAILED).analysis()


def found(*texts: str, **filters: Any) -> list[tuple[str, str, str, str | None]]:
    """What is found: in what, in which field, how sure, of which tool."""
    rows = analysis().finds(texts, Filter(**filters))
    return rows.select("of", "field", "basis", "tool_name").rows()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("re_1", [("effect", "receipt_id", "explicit", "pay"), ("call", "result", "inferred", "pay")]),
        ("octo/demo#12", [("call", "result", "inferred", "Bash")]),
        ("3f2a9c1d5e6b7a8f9c0d1e2f3a4b5c6d7e8f9a0b", [("call", "result", "inferred", "Bash")]),
        ("E1234", [("call", "reason", "inferred", "Bash")]),
        ("git push", [("call", "arguments", "explicit", "Bash")]),
        ("bob", [("call", "reviewer", "explicit", "pay")]),
        ("Pay 900?", [("approval", "shown", "inferred", "pay")]),
        ("issue 12", [("run", "trigger_id", "explicit", None)]),
        ("r-77", [("run", "run_keys", "explicit", None)]),
        ("ana", [("input", "content", "inferred", None), ("run", "user_id", "explicit", None)]),
        ("1042", [("effect", "object_id", "explicit", "pay")]),
        ("104", []),
    ],
)  # fmt: skip
def test_what_stands_anywhere_leads_to_its_run(text: str, expected: list[tuple[str, str, str, str | None]]) -> None:
    """Each thing once, by the field that says most."""
    assert sorted(found(text)) == sorted(expected)


def test_what_a_result_tells_and_no_receipt_is_inferred() -> None:
    """A commit and a pull request, from two runs that changed the same; the control: a receipt is explicit (`re_1`)."""
    opened = {**PUSHED, "arguments": '{"command":"gh pr create"}', "content": "https://github.com/octo/demo/pull/12"}
    again = other({**opened, "call_id": "c-4"}, "second", 4)
    whole = stored(*STORY, opened, again).analysis()
    told = whole.finds(["octo/demo#12"]).select("of", "field", "basis").unique().sort("of").rows()
    assert told == [("call", "result", "inferred"), ("effect", "object_url", "inferred")]
    run_id = whole.runs.filter(pl.col("agent_name") == "coder")["run_id"].item()
    shared = whole.related(run_id).filter(pl.col("how") == "target")
    assert shared.select("what", "basis").rows() == [("github.com pull_request octo/demo#12", "inferred")]


def test_all_texts_must_stand_in_one_place() -> None:
    """In any order; the control: both stand in the store, and not together."""
    assert found("octo/demo#12", "3f2a9c1") == [("call", "result", "inferred", "Bash")]
    assert found("octo/demo#12", "E1234") == []


def test_the_latest_comes_first_with_what_stands_around_it() -> None:
    """The whole rows."""
    rows = analysis().finds(["git push"])
    assert rows.drop("run_id").rows(named=True) == [
        {
            "first_ns": AT_NS + 30 * 10**9, "of": "call", "field": "arguments", "snippet": '{"command":"git push"}',
            "basis": "explicit", "tool_name": "Bash", "tool_call_id": "c-2", "outcome": "executed",
            "agent_name": "coder", "evidence": "main/11/0",
        }
    ]  # fmt: skip
    times = analysis().finds(["demo"])["first_ns"].to_list() + analysis().finds(["pay"])["first_ns"].to_list()
    assert times == sorted(times, reverse=True)


def test_filters_are_those_of_other_commands() -> None:
    """By agent, tool, outcome, tenant and time."""
    assert found("E1234", agent="coder", tool="Bash", outcome="failed", tenant="shop") != []
    for filters in ({"agent": "clerk"}, {"tool": "pay"}, {"outcome": "denied"}, {"tenant": "x"}, {"until_ns": AT_NS}):
        assert found("E1234", **filters) == []


def test_without_a_text_all_that_the_filters_let_through_is_told() -> None:
    """What happened in a minute of last week."""
    assert found(since_ns=AT_NS + 30 * 10**9, tool="Bash") == [
        ("call", "arguments", "explicit", "Bash"),
        ("call", "arguments", "explicit", "Bash"),
    ]


def test_what_is_too_short_is_refused() -> None:
    """It would lead everywhere."""
    with pytest.raises(Invalid, match="expected at least 3"):
        analysis().finds(["ab"])


def related(first: str, *stories: Any) -> list[tuple[str, str, str]]:
    """How the run of an agent is related to the others: how, what, and whose they are."""
    whole = stored(*stories).analysis()
    run_id = whole.runs.filter(pl.col("agent_name") == first)["run_id"].item()
    return whole.related(run_id).select("how", "what", "agent_name").rows()


def other(row: dict[str, Any], agent: str, number: int, **columns: Any) -> dict[str, Any]:
    """The same row of another run."""
    return {**row, "agent_name": agent, "conversation_id": f"s-{number}", "trace_id": f"{number:032x}",
            "run_key": None, **columns}  # fmt: skip


def test_runs_are_related_by_object_call_input_and_configuration() -> None:
    """What was changed comes first; the control: a run that shares nothing is not told."""
    begun = STORY[1]
    stories = (
        *STORY,
        other(STORY[8], "refunder", 7),
        other(begun, "refunder", 7, content_digest="sha256:other"),
        other(PROPOSED, "payer", 8),
        other(begun, "reader", 9),
        other(begun, "stranger", 10, content_digest="sha256:strange"),
    )
    assert related("clerk", *stories) == [
        ("target", "ledger 1042", "refunder"),
        ("call", 'pay {"amount":900}', "payer"),
        ("input", "sha256:cc", "reader"),
    ]


def test_runs_of_one_version_of_an_agent_are_related() -> None:
    """Another prompt is another version; what tells less is taken for the latest before it, and that is inferred."""
    told = {"agent_version": "1", "model": "big", "tool_names": '["pay"]', "tools_digest": "sha256:t"}
    runs = [
        other(
            {**PROPOSED, "time_ns": AT_NS + number},
            "clerk",
            number,
            arguments=f'{{"amount":{number}}}',
            system_prompt_digest=prompt,
            **told,
        )
        for number, prompt in ((1, "sha256:a"), (2, "sha256:a"), (3, "sha256:b"), (4, None))
    ]
    whole = stored(*runs).analysis()
    names = dict(whole.runs.select("conversation_id", "run_id").iter_rows())
    stories = {run_id: name for name, run_id in names.items()}

    def others(of: str) -> list[tuple[str, str, str, str]]:
        rows = whole.related(names[of]).select("run_id", "how", "what", "basis").rows()
        return [(stories[run_id], how, what, basis) for run_id, how, what, basis in rows]

    assert others("s-1") == [("s-2", "configuration", "clerk version 1", "explicit")]
    assert others("s-3") == [("s-4", "configuration", "clerk version 2", "inferred")]
    assert others("s-4") == [("s-3", "configuration", "clerk version 2", "inferred")]


def test_tenants_share_nothing() -> None:
    """The same id of two tenants is two things."""
    stories = (*STORY, other(STORY[8], "refunder", 7, tenant="b"), other(STORY[1], "refunder", 7, tenant="b"))
    assert related("clerk", *stories) == []


def test_a_run_that_is_not_there_has_no_relations() -> None:
    """As everywhere."""
    with pytest.raises(Invalid, match="not found"):
        analysis().related("0" * 16)
