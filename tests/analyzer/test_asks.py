"""Who is asked about which call, and which answer is whose, where no record says it by the call's id."""

from __future__ import annotations

from typing import Any, Final

from .stories import calls_of, event

LATER: Final = {"trace_id": "2" * 32}


def proposed(call_id: str, tool: str, amount: int = 1, s: float = 0) -> dict[str, Any]:
    """A call that the model proposes."""
    return event(
        "action.proposed", "proposed", s=s, tool_name=tool, call_id=call_id, arguments=f'{{"amount":{amount}}}'
    )


def asks(tool: str | None = None, s: float = 1, **columns: Any) -> dict[str, Any]:
    """An interrupt: a plain question, unless it names a tool."""
    rule = "graph_question" if tool is None else "graph_interrupt"
    told = {"tool_name": tool, "call_id": None, "position": 0, "group": "i-1", "rule": rule}
    return event("approval.requested", s=s, **{**told, **columns})


def answers(verdict: str, s: float = 3, **columns: Any) -> dict[str, Any]:
    """What a reviewer says in the first place of an interrupt."""
    told = {"tool_name": None, "call_id": None, "position": 0, "decided_by": "human", **LATER}
    return event(f"approval.{verdict}", s=s, **{**told, **columns})


def ran(call_id: str, tool: str, s: float = 4) -> dict[str, Any]:
    """A run."""
    return event("tool.called", "completed", s=s, tool_name=tool, call_id=call_id, **LATER)


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Tool, outcome, who decided, whether it was asked about, how it was answered."""
    columns = ("tool_name", "outcome", "decided_by", "approval_asked", "approval")
    return calls_of(*events).sort("tool_name").select(columns).rows()


def test_a_plain_question_is_about_the_calls_that_are_open() -> None:
    """All of the model's last turn, and so is its answer; one that had run before is another matter."""
    before = [proposed("c-0", "look", s=-9), event("tool.called", "completed", s=-8, tool_name="look", call_id="c-0")]
    turn = [proposed("c-1", "mail"), proposed("c-2", "pay")]
    assert told(*before, *turn, asks(), answers("granted"), ran("c-1", "mail"), ran("c-2", "pay")) == [
        ("look", "executed", None, False, None),
        ("mail", "executed", "human", True, "granted"),
        ("pay", "executed", "human", True, "granted"),
    ]
    assert told(*before, *turn, asks()) == [
        ("look", "executed", None, False, None),
        ("mail", "pending", None, True, None),
        ("pay", "pending", None, True, None),
    ]


def test_a_question_answered_in_words_of_ones_own_is_settled_by_what_follows() -> None:
    """The call runs, or the model is told something without a run."""
    answered = event(
        "tool.called", "answered", s=4, basis="inferred", content="The reviewer would rather not.", **LATER
    )
    assert told(proposed("c-1", "pay"), asks(), ran("c-1", "pay")) == [("pay", "executed", "human", True, None)]
    assert told(proposed("c-1", "pay"), asks(), answered) == [("pay", "denied", "human", True, None)]
    assert told(proposed("c-1", "pay"), answered) == [("pay", "executed", None, False, None)]


def test_interrupts_of_one_call_each_are_answered_by_their_ids() -> None:
    """Each has its answer in the first place: only the id tells them apart."""
    turn = [proposed("c-1", "mail"), proposed("c-2", "pay")]
    interrupts = [asks("mail", call_id="c-1", group="i-1"), asks("pay", s=1.1, call_id="c-2", group="i-2")]
    verdicts = [answers("rejected", group="i-1"), answers("granted", group="i-2")]
    assert told(*turn, *interrupts, *verdicts, ran("c-2", "pay")) == [
        ("mail", "denied", "human", True, "rejected"),
        ("pay", "executed", "human", True, "granted"),
    ]


def test_an_interrupts_id_that_is_used_again_is_another_question() -> None:
    """A node asks twice in one task, of two tools or of one: each answer is to the question before it."""
    two = [proposed("c-1", "mail"), proposed("c-2", "pay")]
    first = [asks("mail", call_id="c-1"), answers("rejected", group="i-1")]
    second = [asks("pay", s=5, call_id="c-2"), answers("granted", s=6, group="i-1")]
    assert told(*two, *first, *second, ran("c-2", "pay", s=7)) == [
        ("mail", "denied", "human", True, "rejected"),
        ("pay", "executed", "human", True, "granted"),
    ]
    one, other = {"call_id": None, "arguments_digest": "sha256:1"}, {"call_id": None, "arguments_digest": "sha256:2"}
    nameless = [{**proposed("", "pay"), **one}, {**proposed("", "pay", 2, s=4), **other}]
    once = [asks("pay"), asks("pay", s=1.1), answers("rejected", group="i-1")]
    again = [asks("pay", s=5), asks("pay", s=5.1), answers("granted", s=6, group="i-1")]
    (refused, ran_then) = told(*nameless, *once, *again, {**ran("", "pay", s=7), **other})
    assert (refused[1:], ran_then[1:]) == (
        ("denied", "human", True, "rejected"),
        ("executed", "human", True, "granted"),
    )


def test_the_same_call_twice_is_answered_as_it_was_asked() -> None:
    """By its place, whatever the verdicts are called: the first is refused, the second let through, and the reverse."""
    turn = [proposed("c-1", "pay"), {**proposed("c-2", "pay"), "ordinal": 1, "position": 1}]
    given = {"arguments": '{"amount":1}'}
    interrupt = [asks("pay", **given), asks("pay", position=1, ordinal=1, **given)]

    def verdicts(first: str, second: str, **columns: Any) -> dict[str, str]:
        said = [answers(first, **columns), answers(second, ordinal=1, **{"position": 1, **columns})]
        calls = calls_of(*turn, *interrupt, *said).sort("tool_call_id")
        return dict(calls.select("tool_call_id", "approval").rows())

    assert verdicts("rejected", "granted") == {"c-1": "rejected", "c-2": "granted"}
    assert verdicts("granted", "rejected") == {"c-1": "granted", "c-2": "rejected"}


def test_a_step_around_a_tool_that_asks_does_not_ask_again() -> None:
    """The interrupt has one id; a sibling of the call that asks was not asked about."""
    turn = [proposed("c-1", "mail"), proposed("c-2", "pay")]
    assert told(*turn, asks("pay", call_id="c-2"), asks(s=1.1), ran("c-2", "pay"), ran("c-1", "mail")) == [
        ("mail", "executed", None, False, None),
        ("pay", "executed", "human", True, None),
    ]


def test_thousands_of_questions_in_one_conversation_are_each_met_once() -> None:
    """The time and memory that this takes grow with their number, not with its square."""
    turns = range(3000)
    rows = [
        row
        for s in turns
        for row in (
            proposed(f"c-{s}", "pay", s=s),
            asks(s=s + 0.1, group=f"i-{s}"),
            answers("granted", s=s + 0.2, group=f"i-{s}"),
            ran(f"c-{s}", "pay", s=s + 0.3),
        )
    ]
    assert set(told(*rows)) == {("pay", "executed", "human", True, "granted")}


def test_a_question_after_a_turn_that_is_over_is_about_the_one_before_that_is_open() -> None:
    """The last turn's call has run; of two of the turn before, one has. An ended call is not asked about again."""
    earlier = [proposed("c-1", "mail", s=-4), proposed("c-2", "pay", s=-4), ran("c-1", "mail", s=-3)]
    later = [proposed("c-3", "look", s=-2), ran("c-3", "look", s=-1)]
    assert told(*earlier, *later, asks(), answers("granted"), ran("c-2", "pay")) == [
        ("look", "executed", None, False, None),
        ("mail", "executed", None, False, None),
        ("pay", "executed", "human", True, "granted"),
    ]
