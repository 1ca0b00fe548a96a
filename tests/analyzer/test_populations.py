"""What is different about some calls or runs: a planted cause is found first, and what chooses is no finding."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Choice, Filter, Invalid, PopulationComparison
from aftertrace.analyzer.documents import html, markdown
from aftertrace.analyzer.populations.argument_attributes import arguments_of
from aftertrace.analyzer.populations.document import document, written_json
from aftertrace.analyzer.populations.targets import aimed
from aftertrace.analyzer.populations.words import command, headline, lift, listed, notes, said
from aftertrace.cli.population_page import page
from aftertrace.store.schema import CUT

from .frames import RECEIVED_NS
from .stories import DAY_NS, event, stored
from .test_documents import Elements
from .test_record_document import HOSTILE

DENIED: Final = Choice("calls", (Filter(outcome="denied"),))


def run(nth: int, *calls: tuple[str, bool | None, dict[str, Any]], **columns: Any) -> list[dict[str, Any]]:
    """A run of some calls: their tools, whether each was denied (None: it waits for an answer), and their arguments."""
    of_run = {"trace_id": f"{nth:032x}", "conversation_id": f"s-{nth}", **columns}
    events = []
    for at, (tool, is_denied, arguments) in enumerate(calls):
        of = {**of_run, "tool_name": tool, "call_id": f"c-{nth}-{at}", "s": -nth * 60 + at}
        events.append(event("action.proposed", "proposed", arguments=json.dumps(arguments, sort_keys=True), **of))
        if is_denied is None:
            events.append(event("approval.requested", **of))
        elif is_denied:
            events.append(event("policy.evaluated", "deny", decided_by="policy", reason=f"limit {nth}", **of))
        else:
            events.append(event("tool.called", "completed", **of))
    if any(is_denied is None for _, is_denied, _ in calls):
        return events
    return [*events, event("run.completed", **{**of_run, "tool_name": None, "call_id": None, "s": -nth * 60 + 9})]


def payment(nth: int) -> tuple[str, bool, dict[str, Any]]:
    """A payment, which is denied where it goes to the old account."""
    is_old = nth % 4 == 0
    arguments = {"to": "old-account" if is_old else f"account-{nth % 3}", "amount": nth % 7, "memo": "rent due"}
    return "pay", is_old, arguments


@cache
def planted() -> Analysis:
    """Forty runs on five days, of two agents and models. Payments to one account are refused, and nothing else is."""
    events = [
        told
        for nth in range(40)
        for told in run(
            nth,
            ("read", False, {"page": nth % 5}),
            payment(nth),
            agent_name=("clerk", "broker")[nth % 2],
            model=("big", "small", "other")[nth % 3],
        )
    ]
    return stored(*events).analysis()


def told(found: PopulationComparison, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of what was found, by rank."""
    return found.lifts.found.select(columns).rows()


def test_a_planted_cause_ranks_first() -> None:
    """Before the tool, which goes along with it; nothing else is found but what they are not."""
    found = planted().compare(DENIED)
    assert (found.size(is_chosen=True), found.size(is_chosen=False)) == ((10, 10), (70, 40))
    assert told(found, "rank", "attribute", "within", "argument", "value", "chosen", "of_chosen", "others", "of_others",
                "verdict") == [
        (1, "argument", "pay", "to", '"old-account"', 10, 10, 0, 30, "more"),
        (2, "tool", None, None, "pay", 10, 10, 30, 70, "more"),
        (3, "agent", None, None, "clerk", 10, 10, 30, 70, "more"),
        (4, "tool", None, None, "read", 0, 10, 40, 70, "less"),
        (5, "agent", None, None, "broker", 0, 10, 40, 70, "less"),
    ]  # fmt: skip
    first = found.lifts.found.row(0, named=True)
    assert (first["lift"], first["high"], lift(first)) == (None, None, "only there (8.5× or more)")
    assert first["q"] < 0.001
    assert headline(found) == [
        "10 calls of 10 runs with outcome=denied, against 70 calls of 40 runs: all others.",
        'What tells them apart best: pay: to = "old-account", 10 of 10 against 0 of 30.',
    ]


def test_the_mirror_of_a_finding_is_not_listed_again() -> None:
    """That they do not read is said by that they pay."""
    assert [(title, len(rows)) for title, rows in listed(planted().compare(DENIED))] == [
        ("More frequent among them", 3)
    ]


def test_the_rows_behind_a_finding_are_listed() -> None:
    """On both sides; an id that is none is said."""
    found = planted().compare(DENIED)
    (tool,) = found.lifts.found.filter(pl.col("value") == "pay")["lift_id"]
    rows = found.rows_of(tool)
    assert rows.group_by("is_chosen", "tool_name").len().sort("is_chosen").rows() == [
        (False, "pay", 30),
        (True, "pay", 10),
    ]
    with pytest.raises(Invalid, match="nothing that was looked at has this id"):
        found.rows_of("01234567")


def test_what_chooses_and_what_follows_from_it_is_left_out() -> None:
    """Outcome, decision and reason of the denied; the tool and its risk, where a tool was chosen."""
    found = planted().compare(DENIED)
    assert found.left_out == ("asked", "decided_by", "outcome", "allowed_by", "reason", "signal")
    by_tool = planted().compare(Choice("calls", (Filter(tool="pay"),)))
    assert by_tool.left_out == ("tool", "risk")
    assert ("outcome", "denied", "more") in told(by_tool, "attribute", "value", "verdict")


def test_who_waits_is_no_other_and_others_can_be_named() -> None:
    """A call that may yet be denied says nothing; against chosen others all that was chosen counts."""
    events = [each for nth in range(9) for each in run(nth, payment(nth), ("pay", None, {"to": "x"}))]
    analysis = stored(*events).analysis()
    assert (analysis.compare(DENIED).pending, analysis.compare(DENIED).size(is_chosen=False)) == (9, (6, 6))
    named = analysis.compare(
        Choice("calls", (Filter(outcome="denied"),), (Filter(outcome="pending"), Filter(tool="pay")))
    )
    assert (named.pending, named.both) == (0, 3)
    assert named.size(is_chosen=False) == (15, 9)
    assert "3 calls in both: they count among the chosen alone." in notes(named)


def test_a_run_that_is_not_over_is_no_other() -> None:
    """It may yet make a call that is denied; where all others are such, that is said."""
    over = [each for nth in range(8) for each in run(nth, payment(nth))]
    waits = [each for nth in range(8, 11) for each in run(nth, ("pay", None, {"to": "x"}))]
    denied = Choice("runs", (Filter(outcome="denied"),))
    found = stored(*over, *waits).analysis().compare(denied)
    assert (found.pending, found.size(is_chosen=True), found.size(is_chosen=False)) == (3, (2, 2), (6, 6))
    assert "3 runs left out: nothing can be said yet of what becomes of them." in notes(found)
    with pytest.raises(Invalid, match=r"no other runs on record \(3 left out: nothing can be said of them yet\)"):
        stored(*run(0, payment(0)), *waits).analysis().compare(denied)


def test_arguments_that_were_too_long_to_be_stored_are_not_taken_apart() -> None:
    """What stands for them is no argument: not its size, nor its digest, nor how they begin."""
    stand_in = {CUT: {"begins": '{"to": "old-account"', "characters": 300_000, "digest": "sha256:00"}}
    analysis = stored(*(each for nth in range(8) for each in run(nth, ("pay", nth % 2 == 0, stand_in)))).analysis()
    calls = analysis.calls.with_row_index("row")
    assert (arguments_of(calls).found.height, aimed(calls).height) == (0, 0)
    told = calls.with_columns(arguments=pl.lit('{"to": "old-account"}'))
    assert (arguments_of(told).found.height > 0, aimed(told).height) == (True, 8)


def test_what_both_have_to_be_let_through_by_holds_for_both() -> None:
    """Of one agent alone its name says nothing."""
    found = planted().compare(Choice("calls", (Filter(outcome="denied"),), within=Filter(agent="clerk", tool="pay")))
    assert (found.size(is_chosen=True), found.size(is_chosen=False)) == ((10, 10), (10, 10))
    assert told(found, "attribute", "value", "verdict")[0] == ("argument", '"old-account"', "more")
    assert {"agent", "tool"}.isdisjoint(found.lifts.rows["attribute"])


def test_runs_are_held_against_runs() -> None:
    """Those with a denied call: all that a run is told by, and no argument."""
    found = planted().compare(Choice("runs", (Filter(outcome="denied"),)))
    assert found.size(is_chosen=True) == (10, 10)
    assert told(found, "attribute", "value", "chosen", "others", "verdict") == [
        ("agent", "clerk", 10, 10, "more"),
        ("agent", "broker", 0, 20, "less"),
    ]


def test_what_is_not_told_counts_where_it_is_asked_for() -> None:
    """Runs whose model is not told are no finding; counted as a value they are."""
    events = [each for nth in range(24) for each in run(nth, payment(nth), model=None if nth % 4 == 0 else "big")]
    analysis = stored(*events).analysis()
    assert "model" not in analysis.compare(DENIED).lifts.rows["attribute"]
    assert "model" in analysis.compare(DENIED).untold
    counted = analysis.compare(Choice("calls", (Filter(outcome="denied"),), count_untold=True))
    assert told(counted, "value", "also", "verdict") == [
        ('"old-account"', ["model = not told"], "more"),
        ("big", [], "less"),
    ]


def test_a_side_without_rows_is_refused_and_too_few_runs_are_not_tested() -> None:
    """Two runs of denied calls are too few, which is said, with what they have in common."""
    with pytest.raises(
        Invalid, match=r"no chosen calls on record.*`aftertrace calls` lists them, with the same names as options"
    ):
        planted().compare(Choice("calls", (Filter(outcome="cancelled"),)))
    with pytest.raises(Invalid, match="no other calls on record"):
        planted().compare(Choice("calls", (Filter(environment=None, until_ns=RECEIVED_NS + DAY_NS),)))
    with pytest.raises(Invalid, match="nothing chooses"):
        planted().compare(Choice("calls", ()))
    events = [each for nth in range(8) for each in run(nth, payment(nth))]
    found = stored(*events).analysis().compare(DENIED)
    assert headline(found)[1].startswith("Too few to test: at least 3 runs are needed on both sides.")
    assert [title for title, _ in listed(found)] == ["What they have, untested"]
    assert set(found.lifts.rows["verdict"]) == {"too_few"}


def test_the_screen_lists_as_many_of_a_group_as_are_meant_for_it() -> None:
    """Twelve of what is not tested, though it is the first group that is there; fifteen of what is more frequent."""

    def listed_of(denied: int) -> tuple[str, int]:
        calls = (
            ("pay", nth < denied, {f"at{of}": nth < denied or (nth + of) % (20 + of) == 0 for of in range(20)})
            for nth in range(60)
        )
        events = [each for nth, made in enumerate(calls) for each in run(nth, made)]
        found = stored(*events).analysis().compare(DENIED)
        title, rows = listed(found)[0]
        lines = page(found)
        after = lines[lines.index(title) + 2 :]
        shown = next(nth for nth, line in enumerate(after) if line.startswith("…"))
        assert after[shown] == f"… and {len(rows) - shown} more, with --format json"
        return title, shown

    assert listed_of(2) == ("What they have, untested", 12)
    assert listed_of(10) == ("More frequent among them", 15)


def test_arguments_tell_values_words_hosts_sizes_and_targets() -> None:
    """Each within its tool; a target is of several tools, a table may stand in SQL."""
    calls = pl.DataFrame(
        {
            "row": [0, 1, 2, 3],
            "tool_name": ["sh", "sql", "mail", "pay"],
            "arguments": [
                '{"command":"rm -rf /tmp/x","n":[1200,-3]}',
                '{"query":"SELECT a FROM ledger.accounts JOIN users u"}',
                '{"to":"Ann@Example.com","memo":"same text"}',
                '{"memo":"same text","table":"orders","ok":true,"deep":{"url":"https://x.example/a","at":0}}',
            ],
        }
    )  # fmt: skip
    arguments = arguments_of(calls)
    assert arguments.target_tools().filter(value="same text")["tool"].sort().to_list() == ["mail", "pay"]
    tellings = list(arguments.tellings())
    found = {
        row
        for each in tellings
        for row in each.values.join(each.keys, on="key").select("row", "attribute", "argument", "value").iter_rows()
    }
    assert {
        (0, "argument_begins", "command", "rm"), (0, "argument_size", "n[]", "1,000 to 10,000"),
        (0, "argument_size", "n[]", "-1 to -10"), (1, "namespace", None, "ledger.accounts"),
        (1, "namespace", None, "users"), (2, "argument_host", "to", "example.com"), (2, "target", None, "same text"),
        (3, "target", None, "same text"), (3, "namespace", None, "orders"), (3, "argument", "ok", "true"),
        (3, "argument_host", "deep.url", "x.example"), (3, "argument_given", "deep.at", "given"),
    } <= found  # fmt: skip
    of_tools = [(row, f"arguments\x1f{tool}") for row, tool in calls.select("row", "tool_name").iter_rows()]
    assert [sorted(each.known.rows()) for each in (tellings[0], tellings[-1])] == [
        of_tools, [(row, "arguments") for row, _ in of_tools],
    ]  # fmt: skip
    assert arguments.left_out == 0


@pytest.mark.parametrize(
    "text", ["{", "[" * 9000, '"\\ud800"', '{"\\ud800":"\\ud800 x"}', '{"n":1e999,"m":NaN}', "null", ""]
)
def test_arguments_that_are_hostile_are_taken_apart_as_far_as_they_go(text: str) -> None:
    """No JSON, nested without end, half characters, numbers that are none."""
    arguments = arguments_of(pl.DataFrame({"row": [0], "tool_name": [None], "arguments": [text]}))
    assert [each.known.height for each in arguments.tellings()] == [1] * 7
    assert all(
        "\ud800" not in (cell or "") for row in arguments.found.select("argument", "value").rows() for cell in row
    )


def test_what_a_hostile_agent_wrote_is_text_wherever_it_is_told() -> None:
    """Tools, agents, models and arguments, on the screen, in documents and in the command to go on with."""
    events = [
        each
        for nth in range(12)
        for each in run(
            nth,
            (HOSTILE if nth % 2 else "pay", bool(nth % 2), {HOSTILE: HOSTILE}),
            agent_name=HOSTILE[: nth % 2 + 40],
        )
    ]
    found = stored(*events).analysis().compare(DENIED)
    assert any(HOSTILE in (row["value"] or "") for row in found.lifts.found.iter_rows(named=True))
    texts = [
        "\n".join(page(found)),
        html.written(document(found)),
        markdown.written(document(found)),
        written_json(found),
    ]
    for text in texts:
        assert "\u202e" not in text
        assert "\x1b" not in text
    assert not {"script", "img", "iframe"} & set(Elements(texts[1]).elements)
    hostile = stored(*events).analysis().compare(Choice("calls", (Filter(tool=HOSTILE),)))
    assert command(hostile) is None


def test_the_command_that_makes_it_again_holds_all_that_chose() -> None:
    """Quoted; as the words of the filters."""
    choice = Choice(
        "runs", (Filter(outcome="denied"), Filter(outcome="expired")), (Filter(tool="read"),), Filter(agent="clerk"),
        count_untold=True,
    )  # fmt: skip
    found = planted().compare(choice)
    at = "2027-01-15T08:16:40"
    assert command(found, "--rows", "12345678") == (
        "aftertrace compare --where outcome=denied --where outcome=expired --against tool=read --agent clerk --of runs "
        f"--count-untold --as-of {at} --rows 12345678"
    )
    assert said(choice.chosen) == "outcome=denied or expired"


def test_the_json_tells_what_was_asked_whole() -> None:
    """However long a value is; the headline cuts it."""
    long = {name: name * 30 for name in ("agent", "other")}
    events = [
        each for nth in range(9) for each in run(nth, payment(nth), agent_name=long["agent"], tenant=long["other"])
    ]
    found = (
        stored(*events)
        .analysis()
        .compare(
            Choice("calls", (Filter(outcome="denied"),), (Filter(agent=long["agent"]),), Filter(tenant=long["other"]))
        )
    )
    read = json.loads(written_json(found))
    assert {name: read[name] for name in ("where", "against", "within")} == {
        "where": "outcome=denied", "against": f"agent={long['agent']}", "within": f"tenant={long['other']}",
    }  # fmt: skip
    assert f"agent={long['agent'][:99]}…; both with tenant={long['other'][:99]}…." in headline(found)[0]


def test_the_json_holds_all_that_was_looked_at() -> None:
    """With what it was asked, and how to ask it again."""
    found = planted().compare(DENIED)
    read = json.loads(written_json(found))
    assert len(read["lifts"]) == found.lifts.rows.height > 10
    assert {name: read[name] for name in ("format", "of", "where", "against", "chosen", "others", "pending")} == {
        "format": "aftertrace.population-comparison/1", "of": "calls", "where": "outcome=denied", "against": None,
        "chosen": {"rows": 10, "runs": 10}, "others": {"rows": 70, "runs": 40}, "pending": 0,
    }  # fmt: skip
