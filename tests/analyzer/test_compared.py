"""Two runs side by side: what made them, where they part, and what is not known to differ."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.comparison.compared import compared
from aftertrace.analyzer.comparison.document import document
from aftertrace.analyzer.comparison.run_comparison import ComparedPart, Difference, RunComparison
from aftertrace.analyzer.comparison.words import differences, headline
from aftertrace.analyzer.documents import html, markdown
from aftertrace.analyzer.records.record_json import document as json_of
from aftertrace.analyzer.records.run_record import RunRecord
from aftertrace.cli.comparison_page import page

from .stories import ENDED, event, span
from .test_documents import Elements
from .test_record_document import HOSTILE, hostile
from .test_run_record import ASKED_WITH, CREATED, EDITED, RAN, RECEIPT, STORY, record_of

PROMPT: Final = "You are a clerk. Today is {day}.\nPay at most {limit}.\nBe polite."


def told(*events: dict[str, Any], prompt: str | None = None, tools: str | None = None, **run: Any) -> RunRecord:
    """A run of some calls, with what it was made of."""
    of_run = {"tool_name": None, "call_id": None, **run}
    first = [event("input.resolved", "user_prompt", content="Pay Ana.", content_digest="sha256:cc", **of_run)]
    if prompt is not None:
        first.append(
            event("input.resolved", "system_prompt", content=prompt, content_digest=f"sha256:{hash(prompt)}", **of_run)
        )
    chat = span("chat", s=0.1, tool_name=None, model="big", served_model="big-1", **run)
    return record_of(*first, *events, ENDED, spans=(chat,))


def call(tool: str, nth: int, *, ran: bool = True, result: str = "ok", **arguments: Any) -> list[dict[str, Any]]:
    """A call that was proposed, and ran or was refused by a policy."""
    of = {"tool_name": tool, "call_id": f"c-{nth}", "s": nth}
    proposed = event("action.proposed", "proposed", arguments=json.dumps(arguments), **of)
    if not ran:
        return [proposed, event("policy.evaluated", "deny", decided_by="policy", **of)]
    return [proposed, event("tool.called", "completed", content=result, content_digest=f"sha256:{result}", **of)]


FOUR: Final = told(*call("pay", 1, n=1), *call("pay", 2, n=2), *call("read", 3, n=1), *call("mail", 4, n=1))


def parts_of(found: RunComparison) -> dict[str, str]:
    """What is said of each part."""
    return {part.part: part.agreement for part in found.parts}


def test_the_first_step_that_differs_is_found_and_why_is_said() -> None:
    """The second run read another order book, was refused the payment, and closed the account all the same."""
    mine = told(*call("read", 1, n=1), *call("pay", 2, to="ann", amount=900), *call("mail", 3, to="ann"))
    other = told(
        *call("read", 1, n=1, result="none"),
        *call("pay", 2, ran=False, to="ann", amount=60),
        *call("close", 3, account="x"),
        *call("mail", 4, to="ann"),
    )
    found = compared(mine, other)
    assert (found.parted_at, found.other_result_at, found.first_left_out, found.second_left_out) == (2, 1, 0, 0)
    assert [(step.tool, step.verdict) for step in found.steps] == [
        ("read", "other_result"), ("pay", "differs"), ("close", "second_only"), ("mail", "same"),
    ]  # fmt: skip
    assert found.steps[1].differences == (
        Difference("arguments", "/amount", "900", "60", is_known=True),
        Difference("outcome", None, "executed", "denied", is_known=True),
        Difference("decided_by", None, None, "policy", is_known=False),
    )
    assert headline(found)[:3] == [
        "They part at step 2: pay, /amount: 900 → 60; outcome: executed → denied.",
        "Before that, the same call of read gave something else (step 1).",
        "Nothing told of what made them differs.",
    ]
    assert differences(found.steps[2]) == ['arguments: {"account": "x"}']


def test_a_run_beside_itself_has_no_difference() -> None:
    """With edits, approvals, receipts and results."""
    record = record_of(*STORY)
    found = compared(record, record)
    assert (found.parted_at, found.other_result_at, found.differing, found.effects) == (None, None, (), ())
    assert [(step.verdict, step.differences) for step in found.steps] == [("same", ())]
    assert headline(found)[0] == "Their 1 call do not differ in what is told of them."


def test_who_let_it_and_what_it_changed_is_compared() -> None:
    """One person edits and the payment is made; the other grants it, and no receipt is on record."""
    granted = {**EDITED, "event": "approval.granted", "decider": "cas", "arguments": None, "wait_ns": 90 * 10**9}
    ran = {**RAN, "arguments": '{"amount":900}'}
    proposed = event("action.proposed", "proposed", s=0.2, arguments='{"amount":900}')
    mine = record_of(CREATED, proposed, ASKED_WITH, EDITED, RAN, RECEIPT, ENDED)
    found = compared(mine, record_of(CREATED, proposed, ASKED_WITH, granted, ran, ENDED))
    (step,) = found.steps
    assert step.differences == (
        Difference("executed", "/amount", "60", "900", is_known=True),
        Difference("outcome", None, "modified", "executed", is_known=True),
        Difference("approval", None, "modified", "granted", is_known=True),
        Difference("approver", None, "bob", "cas", is_known=True),
        Difference("effect", None, "applied pay ledger 1042", None, is_known=True),
    )
    assert step.first is not None
    assert step.second is not None
    assert (step.first.wait_s, step.second.wait_s) == (4.0, 90.0)
    assert "effect: applied pay ledger 1042 → none on record" in differences(step)


def test_a_prompt_in_the_same_wording_is_told_from_one_that_was_changed() -> None:
    """The day differs in every run; a line that was added does not."""
    monday = told(prompt=PROMPT.format(day="2026-11-02", limit="100 EUR"))
    tuesday = told(prompt=PROMPT.format(day="2026-11-03", limit="100 EUR"))
    bolder = told(prompt=PROMPT.format(day="2026-11-02", limit="100 EUR").replace("polite", "quick"))
    assert parts_of(compared(monday, tuesday))["prompt"] == "values_differ"
    (part,) = compared(monday, bolder).differing
    assert (part.part, part.agreement) == ("prompt", "differs")
    assert (part.removed, part.added) == (("Be polite.",), ("Be quick.",))
    assert compared(monday, monday).differing == ()


def given_texts(*events: tuple[str, str]) -> RunRecord:
    """A run that was given texts, by kind."""
    of_run = {"tool_name": None, "call_id": None}
    given = [
        event("input.resolved", kind, content=text, content_digest=f"sha256:{text}", s=nth / 100, **of_run)
        for nth, (kind, text) in enumerate(events)
    ]
    return record_of(*given, ENDED)


def test_the_order_in_which_agents_tell_their_prompts_is_no_difference() -> None:
    """Two that work side by side; of three the one that was changed is told. Inputs in another order are others."""
    plan, code, check, quick = (("system_prompt", text) for text in ("Plan.", "Code.", "Check.", "Quick."))
    found = compared(given_texts(plan, code), given_texts(code, plan))
    assert (parts_of(found)["prompt"], found.differing) == ("same", ())
    changed = compared(given_texts(plan, code, check), given_texts(check, quick, plan)).differing
    assert [(part.part, part.agreement, part.removed, part.added) for part in changed] == [
        ("prompt", "differs", ("Code.",), ("Quick.",))
    ]
    less = compared(given_texts(plan, code), given_texts(code)).differing
    assert [(part.removed, part.added) for part in less] == [(("Plan.",), ())]
    ask, add = (("user_prompt", text) for text in ("Pay Ana.", "And Bob."))
    assert parts_of(compared(given_texts(ask, add), given_texts(add, ask)))["inputs"] == "differs"


def test_what_one_run_does_not_tell_is_no_difference() -> None:
    """Neither of what made it nor of a call; the control tells both."""
    known = told(*call("pay", 1, to="ann"), prompt="Be polite.", agent_version="1")
    silent = told(*call("pay", 1, to="ann"))
    found = compared(known, silent)
    assert (found.differing, found.parted_at) == ((), None)
    untold = {name for name, said in parts_of(found).items() if said == "not_told"}
    assert {"prompt", "agent_version", "tools"} <= untold
    other = compared(known, told(*call("pay", 1, to="ann"), prompt="Be quick.", agent_version="2"))
    assert [part.part for part in other.differing] == ["agent_version", "prompt"]


def test_tools_that_were_offered_are_told_one_by_one() -> None:
    """None offered is something else than not told."""
    mine = record_of(*STORY)
    tools = [
        replace(mine, tools=replace(mine.tools, available=available)) for available in (("pay", "read"), ("read",), ())
    ]
    found = {part.part: part for part in compared(tools[0], tools[1]).parts}
    assert found["tools"] == ComparedPart("tools", "differs", ("pay", "read"), ("read",), ("pay",), ())
    assert "tool_definitions" not in found
    assert parts_of(compared(tools[0], tools[2]))["tools"] == "differs"
    assert parts_of(compared(tools[0], mine))["tools"] == "not_told"


@pytest.mark.parametrize(
    ("second", "told_of_tools"),
    [
        (("a",), ["! tools offered", "    - b", "    - c"]),
        (("a", "b", "c", "d", "e"), ["! tools offered", "    + d", "    + e"]),
        (("a", "b", "d"), ["! tools offered: c → d"]),
    ],
)
def test_the_page_tells_two_tools_that_one_run_alone_was_offered(
    second: tuple[str, ...], told_of_tools: list[str]
) -> None:
    """Line by line, as two of one side are no exchange; the control is one for another."""
    mine = record_of(*STORY)
    runs = [replace(mine, tools=replace(mine.tools, available=offered)) for offered in (("a", "b", "c"), second)]
    lines = page(compared(*runs))
    at = lines.index(told_of_tools[0])
    end = next(nth for nth, line in enumerate(lines) if line.startswith("the same in both: "))
    assert lines[at:end] == told_of_tools


def test_the_agent_and_mode_of_a_whole_run_are_no_difference_of_its_calls() -> None:
    """They are of what it was made of; an agent within a run is one."""
    mine = told(*call("pay", 1, to="ann"))
    other = told(*call("pay", 1, to="ann"))
    renamed = replace(
        other,
        agent_name="bold",
        calls=tuple(replace(each, agent="bold", permission_mode="yolo") for each in other.calls),
    )
    found = compared(mine, renamed)
    assert (found.parted_at, [part.part for part in found.differing]) == (None, ["agent"])
    within = compared(mine, replace(renamed, agent_name="clerk"))
    assert within.steps[0].differences == (Difference("agent", None, "clerk", "bold", is_known=True),)


def test_calls_in_another_order_name_each_other() -> None:
    """Both made both."""
    mine = told(*call("read", 1, n=1), *call("pay", 2, n=2))
    found = compared(mine, told(*call("pay", 1, n=2), *call("read", 2, n=1)))
    assert {(step.tool, step.verdict, step.elsewhere) for step in found.steps if step.verdict != "same"} == {
        (found.steps[0].tool, found.steps[0].verdict, 3), (found.steps[2].tool, found.steps[2].verdict, 1),
    }  # fmt: skip
    assert any("the other has the same call at step" in line for step in found.steps for line in differences(step))


@given(st.permutations(range(4)), st.permutations(range(4)), st.integers(0, 4))
def test_with_the_runs_changed_every_difference_is_turned(first: list[int], second: list[int], cut: int) -> None:
    """Where they part is where they part."""
    runs = [replace(FOUR, calls=tuple(FOUR.calls[at] for at in order)) for order in (first, second[:cut])]
    found, turned = compared(*runs), compared(*reversed(runs))
    assert found.parted_at == turned.parted_at
    assert sorted(step.verdict for step in found.steps) == sorted(
        {"first_only": "second_only", "second_only": "first_only"}.get(step.verdict, step.verdict)
        for step in turned.steps
    )


def test_the_json_holds_all_of_it_and_is_the_same_to_the_byte() -> None:
    """For the same two records."""
    found = compared(record_of(*STORY), told(*call("pay", 1, to="ann")))
    assert json.loads(json_of(found)) == json.loads(json.dumps(asdict(found)))
    assert json_of(found) == json_of(compared(record_of(*STORY), told(*call("pay", 1, to="ann"))))


@pytest.mark.parametrize("form", [html, markdown])
def test_what_a_hostile_agent_wrote_is_text_in_a_comparison_too(form: Any) -> None:
    """Tools, arguments, prompts, names, reasons and results."""
    page = form.written(document(compared(hostile(HOSTILE), record_of(*STORY))))
    assert "\u202e" not in page
    assert "\x1b" not in page
    if form is html:
        shown = Elements(page)
        assert not {"script", "img", "iframe", "a"} & set(shown.elements)
    else:
        assert "<script>" not in re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL).replace("\\<", "")


def test_a_page_stays_small_however_long_the_runs_are() -> None:
    """Three hundred calls of each, none of them alike."""
    (long,) = told(*call("pay", 1, to="a" * 3000)).calls
    runs = [replace(FOUR, calls=(replace(long, tool=tool),) * 300) for tool in ("pay", "read")]
    page = html.written(document(compared(*runs)))
    assert len(page) < 300_000
    assert "400 more rows" in page
