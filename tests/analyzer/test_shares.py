"""What is summed up over runs is the same over some after others as over all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis, Choice, Filter
from aftertrace.analyzer.derived import parted
from aftertrace.analyzer.drafting import draft, history, widths
from aftertrace.analyzer.expectations import checks
from aftertrace.analyzer.expectations.rules import Argument, Limit, Rule
from aftertrace.analyzer.inventory import checks as inventory_checks
from aftertrace.analyzer.inventory import draft as inventory_draft
from aftertrace.analyzer.inventory.declared import Inventory, parsed
from aftertrace.analyzer.populations import argument_attributes
from aftertrace.analyzer.populations.document import written_json
from aftertrace.analyzer.schemas.order import BY_RUN, ordered
from aftertrace.store.folder import open_folder

from .test_arrival import fleet
from .test_columns_read import ASKED
from .test_deriving import HOUR_NS, Growing
from .test_scans import NOW_NS, WANTED, both

RULES: Final = (
    Rule(name="a person", approved_by=("human",)),
    Rule(name="one of two", only_tools=("pay", "Bash"), reviewers=("ann",), standing_grants=True),
    Rule(name="paths", arguments=(Argument("", ("*a*",)),), approved_by=("policy", "human_or_program")),
    Rule(name="few", limits=(Limit("most_calls", 1), Limit("most_tokens", 10), Limit("most_duration_s", 0.5))),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Growing:
    """All recordings, kept in many parts, and the last ones came since."""
    whole = fleet()
    last = max(*whole.spans["seq"], *whole.events["seq"])
    growing = Growing(open_folder(tmp_path_factory.mktemp("shares") / "data"), whole)
    for upto in range(0, last - 40, last // 12):
        growing.receive(max(0, upto - last // 12), upto)
        growing.derive(NOW_NS)
    growing.receive(upto, last)
    return growing


@pytest.fixture(autouse=True)
def one_part_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share is one part."""
    monkeypatch.setattr(parted, "RUNS_OF_A_SHARE", 1)


def divided(store: Growing) -> tuple[Analysis, Analysis]:
    """What is told in shares, and of all at once."""
    found, expected = both(store)
    assert len(list(found.shares())) > 5
    assert [each is expected for each in expected.shares()] == [True]
    return found, expected


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_shares_are_all_runs_each_once(store: Growing, wanted: Filter) -> None:
    """Of each all that is told, with what is declared and what a filter lets through."""
    found, expected = divided(store)
    shares = list(found.shares())
    for table in BY_RUN:
        rows = [share.collected(share.scan(table, filter=wanted))[0] for share in shares]
        assert_frame_equal(pl.concat(rows), expected.select(table, wanted), check_row_order=False)
        assert_frame_equal(shares[0].told.table(table), ordered(shares[0].told.some(table, pl.lit(value=True)), table))
    ids = [share.columns("runs", ("run_id",))["run_id"] for share in shares]
    assert sum(each.len() for each in ids) == expected.runs.height
    for share, own in zip(shares, ids, strict=True):
        assert set(share.columns("calls", ("run_id",))["run_id"]) <= set(own)


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_is_told_alike_in_shares(store: Growing, name: str) -> None:
    """Agents and findings, rules and drafts, populations, coverage."""
    asked: Callable[[Analysis], object] = ASKED[name]
    found, expected = divided(store)
    assert asked(found) == asked(expected)


@pytest.mark.parametrize("wanted", WANTED[:4], ids=str)
def test_rules_find_the_same_in_shares(store: Growing, wanted: Filter) -> None:
    """With as many of each verdict as are asked for, and all counted."""
    found, expected = divided(store)
    told, whole = checks.checked(RULES, found, wanted), checks.checked(RULES, expected, wanted)
    assert sum(each.broken for each in whole) > 5 or wanted.outcome is not None
    for one, other in zip(told, whole, strict=True):
        assert_frame_equal(one.findings, other.findings)
        assert replace(one, findings=other.findings) == other
        assert (one.broken, one.unknown) == tuple(
            (one.findings["verdict"] == name).sum() for name in ("broken", "unknown")
        )
    for one, other in zip(checks.checked(RULES, found, wanted, most=2), whole, strict=True):
        first = other.findings.filter(pl.int_range(pl.len()).over("verdict") < 2)
        assert_frame_equal(one.findings, first)
        assert (one.broken, one.unknown, one.calls, one.runs) == (other.broken, other.unknown, other.calls, other.runs)


def test_rules_are_drafted_alike_in_shares(store: Growing) -> None:
    """From every call that ran, and every run: what history says of them, with as many hits as are held."""
    found, expected = divided(store)
    told, whole = history.history(found), history.history(expected)
    ran = expected.calls.filter(pl.col("outcome") == "executed").drop_nulls("tool_name").gather_every(25)
    for call in ran.rows(named=True):
        drafts = [draft.of_call(call, each) for each in (told, whole)]
        assert drafts[0] == drafts[1]
        one, other = (widths.narrowed(drafts[0], each, call["run_id"], most=None) for each in (told, whole))
        assert_alike(one, other)
        few = widths.narrowed(drafts[0], told, call["run_id"], most=1)
        assert few.chosen.hits.height == len(few.chosen.counts)
        assert [(each.rule, each.about, each.counts) for each in few.widths] == [
            (each.rule, each.about, each.counts) for each in other.widths
        ]
    drafted = 0
    for run in expected.runs.gather_every(16).rows(named=True):
        made = expected.calls.filter(pl.col("run_id") == run["run_id"])
        try:
            of_run = draft.of_run(run, made, whole)
        except draft.Invalid:
            continue
        assert draft.of_run(run, made, told) == of_run
        drafted += 1
    assert drafted


CHOICES: Final = (
    Choice("calls", (Filter(outcome="denied"),)),
    Choice("calls", (Filter(decided_by="human"),), (Filter(decided_by="policy"), Filter(outcome="executed"))),
    Choice("calls", (Filter(risk="money"),), count_untold=True),
    Choice("runs", (Filter(outcome="denied"),)),
    Choice("runs", (Filter(state="completed"),), within=Filter(since_ns=1), count_untold=True),
)


def test_what_moved_after_changes_is_told_alike_in_shares(store: Growing) -> None:
    """And what had been changed."""
    found, expected = divided(store)
    assert expected.change_measures["runs_before"].max() > 1  # type: ignore[operator]  # a count
    for table in ("versioned", "configurations", "configuration_changes", "change_measures"):
        assert_frame_equal(getattr(found, table), getattr(expected, table))


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_populations_differ_alike_in_shares(store: Growing, choice: Choice) -> None:
    """With the rows behind what differs."""
    found, expected = (each.compare(choice) for each in divided(store))
    assert found.lifts.rows.height > 5
    assert written_json(found) == written_json(expected)
    for lift_id in found.lifts.rows["lift_id"].gather_every(40):
        assert_frame_equal(found.rows_of(lift_id), expected.rows_of(lift_id))


def test_of_arguments_that_are_too_many_the_same_are_drawn_in_shares(
    store: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as are taken apart; calls with others are counted."""
    monkeypatch.setattr(argument_attributes, "CALLS_AT_MOST", 40)
    found, expected = (each.compare(CHOICES[0]) for each in divided(store))
    assert written_json(found) == written_json(expected)
    calls = expected.sizes[True][0] + expected.sizes[False][0]
    assert 100 < found.arguments_left_out < calls - 40
    monkeypatch.undo()
    assert both(store)[0].compare(CHOICES[0]).arguments_left_out == 0


@pytest.mark.parametrize("wanted", [Filter(), Filter(agent="clerk"), Filter(since_ns=NOW_NS - 30 * HOUR_NS)], ids=str)
def test_agents_are_held_against_an_inventory_alike_in_shares(store: Growing, wanted: Filter) -> None:
    """One that declares every other agent, and nothing that it may use; and the draft of it."""
    found, expected = divided(store)
    told, whole = (inventory_draft.of(each, wanted) for each in (found, expected))
    assert told == whole
    nothing = {"tools": (), "models": (), "prompt_digests": ("sha256:0",), "systems": (), "risks": ()}
    rules = (Rule(name="approval", approved_by=("human",)), Rule(name="paths", tools=("*a*",), reviewers=("ann",)))
    declared = parsed(whole, "draft").agents[::2]
    inventory = Inventory(tuple(replace(each, **nothing, approvals=rules) for each in declared))
    one, other = (inventory_checks.of(each, inventory, wanted) for each in (found, expected))
    assert_frame_equal(one.agents, other.agents)
    assert_frame_equal(one.findings, other.findings)
    if wanted == Filter():
        shown = {"unregistered", "undeclared_tool", "undeclared_model", "undeclared_risk", "unapproved", "no_owner"}
        assert shown <= set(one.findings["kind"])


def assert_alike(one: widths.Tried, other: widths.Tried) -> None:
    """The same rule, and the same of each width."""
    assert one.drafted == other.drafted
    for mine, theirs in zip(one.widths, other.widths, strict=True):
        assert (mine.rule, mine.about, mine.counts) == (theirs.rule, theirs.about, theirs.counts)
        assert_frame_equal(mine.hits, theirs.hits)


def test_a_share_that_is_lost_is_missed(store: Growing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without one of them other numbers are told."""
    found, expected = divided(store)
    shares = list(found.told.shares())
    monkeypatch.setattr(parted.Parted, "shares", lambda _: iter(shares[1:]))
    told, whole = checks.checked(RULES, found), checks.checked(RULES, expected)
    assert [each.calls for each in told] != [each.calls for each in whole]
