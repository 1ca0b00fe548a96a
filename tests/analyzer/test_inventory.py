"""The declared inventory: what its file may say, and that a draft of it declares exactly what was seen."""

from __future__ import annotations

import tomllib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer.configurations.settled import SCHEMA as SETTLED
from aftertrace.analyzer.configurations.table import versioned
from aftertrace.analyzer.expectations.patterns import fits, literal, only_name
from aftertrace.analyzer.expectations.toml_texts import listed, quoted
from aftertrace.analyzer.inventory import checks as inventory_checks
from aftertrace.analyzer.inventory import draft as inventory_draft
from aftertrace.analyzer.inventory import seen_agents, sums
from aftertrace.analyzer.inventory.declared import DeclaredAgent, DeclaredTool, Inventory, parsed
from aftertrace.analyzer.inventory.declared_risk import classes, declared
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.semconv.unseen import is_unseen
from aftertrace.store.errors import Invalid

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
HOSTILE = st.one_of(TEXTS, st.sampled_from(['"\n[[agent]]\nname = "x"', "*", "a\\*", "\u202egnp", "[1m]", "'''", "#"]))
NONE = pl.DataFrame(schema=SETTLED)


@given(HOSTILE)
def test_any_text_reads_back_from_toml_as_it_was_and_hides_nothing(text: str) -> None:
    """Of names from telemetry too, on one line: what cannot be seen is written as its escape."""
    assert tomllib.loads(f"x = {quoted(text)}") == {"x": text}
    assert not [character for character in quoted(text) if is_unseen(character)]


@given(st.lists(HOSTILE, max_size=9))
def test_any_list_of_texts_reads_back_from_toml(texts: list[str]) -> None:
    """On one line, or with a line for each."""
    assert tomllib.loads(f"    x = {listed(texts, '    ')}") == {"x": texts}


@given(HOSTILE, HOSTILE)
def test_the_pattern_of_a_name_stands_for_that_name_alone(name: str, other: str) -> None:
    """Whatever is in it: an agent that is called `*` is not all agents."""
    assert fits(name, [literal(name)])
    assert fits(other, [literal(name)]) == (other == name)
    assert only_name(literal(name)) == name


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("mcp__*", "mcp__github__push", True),
        ("mcp__*", "mcp", False),
        ("sonnet[1m]", "sonnet[1m]", True),
        ("sonnet[1m]", "sonnetm", False),
        ("v?", "v1", True),
        ("v?", "v", False),
        (r"\*", "x", False),
        (r"CORP\ann", r"CORP\ann", True),
    ],
)
def test_stars_and_question_marks_stand_for_texts_and_brackets_for_themselves(
    pattern: str, name: str, does: bool
) -> None:
    """Negative control of the property above: patterns do stand for more than themselves."""
    assert fits(name, [pattern]) == does
    assert only_name(pattern) == (None if pattern in ("mcp__*", "v?") else pattern.removeprefix("\\"))


def test_a_file_gives_the_whole_inventory() -> None:
    """What a key leaves out is not declared; an owner left empty is nobody."""
    text = (
        '[[agent]]\nname = "clerk"\nenvironment = "production"\nowner = ""\nmodels = []\ntools = ["pay*"]\n'
        '[[agent.approval]]\ntools = ["pay"]\napproved_by = ["human"]\n'
        '[[agent]]\nservice = "shop"\nowner = "ann"\n[[tool]]\nname = "pay"\nrisk = "money"\n'
    )
    found = parsed(text, "it")
    (approval,) = found.agents[0].approvals
    assert found == Inventory(
        (
            DeclaredAgent(name="clerk", environment="production", models=(), tools=("pay*",), approvals=(approval,)),
            DeclaredAgent(service="shop", owner="ann"),
        ),
        (DeclaredTool("pay", "money"),),
    )
    assert (approval.tools, approval.approved_by) == (("pay",), ("human",))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[agent", "it: not TOML: "),
        ("[agents]", "it: 'agents' is not known, expected [[agent]] and [[tool]] tables only"),
        ("agent = 1", "it: 'agent' is 1, expected [[agent]] tables"),
        ('[[agent]]\nname = "a"\nmodel = "m"', "it: agent 1: 'model' is not known, expected one of name, service"),
        ('[[agent]]\nowner = "ann"', "it: agent 1: it is about every agent without a name, expected one of name"),
        ('[[agent]]\nname = ["a"]', "it: agent 1: name is ['a'], expected a text"),
        ('[[agent]]\nname = "a"\ntools = "pay"', "it: agent 1 (a): tools is 'pay', expected a list of texts"),
        ('[[agent]]\nname = "a"\nrisks = ["big"]', "it: agent 1 (a): risks holds 'big', expected read, write"),
        ('[[agent]]\nname = "a"\n' * 2, "it: agent 2: it is about the same agent as 1, expected one entry for each"),
        ('[[agent]]\nname = "a"\n[[agent.approval]]\nagents = ["b"]', "it: agent 1 (a): approval 1: 'agents' is not"),
        ('[[agent]]\nname = "a"\n[[agent.approval]]\ntools = ["b"]', "it: agent 1 (a): approval 1 (approval): it dem"),
        ('[[tool]]\nname = "pay"', "it: tool 1: risk is not given, expected name and risk"),
        ('[[tool]]\nname = "pay"\nrisk = "big"', "it: tool 1 (pay): risk is 'big', expected one of read, write"),
    ],
)
def test_a_file_that_says_something_else_is_refused(text: str, error: str) -> None:
    """A key that is spelt wrong would declare nothing, and nobody would know."""
    with pytest.raises(Invalid) as refusal:
        parsed(text, "it")
    message = str(refusal.value)
    assert message.startswith(error[: len(message)]) or error in message


def _seen(rows: list[tuple[str | None, ...]]) -> seen_agents.Seen:
    """One run and one call for each row: name, service, environment, source, model, tool."""
    names = ("agent_name", "service_name", "environment", "source", "model")
    told = [
        {**dict(zip(names, row[:5], strict=True)), "run_id": f"r{nth}", "first_ns": nth, "tenant": "t", "last_ns": nth}
        for nth, row in enumerate(rows)
    ]
    calls = [
        {
            **{name: value for name, value in each.items() if name not in ("model", "last_ns")},
            "tool_name": row[5],
            "outcome": "executed",
            "near_miss": False,
            "risk": "write",
            "risk_basis": "guess",
            "approval": "granted",
            "decided_by": "human",
            "allowed_by": "human",
            "call_key": each["run_id"],
        }
        for each, row in zip(told, rows, strict=True)
    ]
    named = [each for each in told if each["agent_name"] is not None]
    frames = {"agents": named, "runs": told, "calls": calls, "effects": []}
    return seen_agents.seen(
        *(
            pl.DataFrame(
                [{key: value for key, value in each.items() if key in DERIVED[name].schema} for each in frames[name]],
                schema=DERIVED[name].schema,
            )
            for name in ("agents", "runs", "calls", "effects")
        )
    )


ROWS = st.lists(
    st.tuples(
        st.none() | HOSTILE,
        st.none() | HOSTILE,
        st.none() | HOSTILE,
        st.sampled_from(["import", "ci"]),
        HOSTILE,
        HOSTILE,
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_nothing_that_was_seen_is_off_the_draft_that_is_made_of_it(rows: list[tuple[str | None, ...]]) -> None:
    """For any names, also of agents and tools whose names are markup, patterns or TOML."""
    seen = _seen(rows)
    text = inventory_draft.drafted([seen], versioned(NONE))
    checked = inventory_checks.check([seen], None, parsed(text, "draft"), Filter(), now_ns=10**9)
    assert checked.findings.filter(pl.col("verdict") == "broken").rows() == []
    assert set(checked.agents["state"]) <= {"registered"}
    assert inventory_draft.drafted([seen], versioned(NONE)) == text


def test_a_draft_without_one_agent_and_one_tool_lacks_them() -> None:
    """Negative control of the property above."""
    before = _seen([("clerk", "shop", "prod", "import", "m", "pay")])
    declared = parsed(inventory_draft.drafted([before], versioned(NONE)), "draft")
    after = _seen([("clerk", "shop", "prod", "import", "m", "drop"), ("cook", "shop", "prod", "import", "m", "pay")])
    found = inventory_checks.check([after], None, declared, Filter(), now_ns=10**9).findings
    assert found.select("verdict", "kind", "agent_name", "subject", "expected", "runs", "calls", "run_id").rows() == [
        ("broken", "unregistered", "cook", "cook", "an entry in the inventory", 1, 1, "r1"),
        ("broken", "undeclared_tool", "clerk", "drop", "pay", 1, 1, "r0"),
        ("unknown", "no_owner", "clerk", None, "an owner", None, None, None),
        ("idle", "unused_tool", "clerk", "pay", "a use of it", None, None, None),
    ]


def test_a_call_of_an_agent_that_nothing_names_is_nobody_who_is_declared() -> None:
    """In a run of one agent it is that agent's; in a run of two nobody knows, and no name vouches for it."""
    one = _seen([("clerk", "shop", None, "import", "m", "pay")])
    unnamed = one.calls.with_columns(agent_name=pl.lit(None, dtype=pl.String))
    two = pl.DataFrame(
        [{"run_id": "r0", "agent_name": name, "service_name": "shop", "first_ns": 0} for name in ("clerk", "cook")],
        schema=DERIVED["agents"].schema,
    )
    runs = pl.DataFrame([{"run_id": "r0", "service_name": "shop", "first_ns": 0}], schema=DERIVED["runs"].schema)
    calls = unnamed.select(DERIVED["calls"].schema.names())
    effects = pl.DataFrame(schema=DERIVED["effects"].schema)
    alone, both = (seen_agents.seen(agents, runs, calls, effects) for agents in (two.head(1), two))
    assert alone.calls["agent_name"].to_list() == ["clerk"]
    assert sums.agents(both).select("agent_name", "calls").rows() == [("clerk", 0), ("cook", 0), (None, 1)]


def _call(tool: str, **columns: object) -> dict[str, object]:
    return {"tool_name": tool, "outcome": "denied", "near_miss": True, "signals": [], **columns}


def test_a_declared_class_goes_before_what_the_sender_says_and_before_a_guess() -> None:
    """With what follows from it: which near misses are consequential, and which calls ran bypassed."""
    bypass = {"outcome": "executed", "near_miss": False, "allowed_by": "mode"}
    rows = [
        _call("drop", risk="read", risk_basis="declared", consequential=False),
        _call("ls", risk="write", risk_basis="guess", consequential=True),
        _call(
            "look", risk="write", risk_basis="guess", consequential=False, **{**bypass, "signals": ["bypassed", "x"]}
        ),
        _call("drop", risk="read", risk_basis="declared", consequential=False, **bypass),
        _call("pay", risk="money", risk_basis="guess", consequential=True),
        _call("", tool_name=None, risk="write", risk_basis="guess", consequential=True),
    ]
    calls = pl.DataFrame(rows, schema=DERIVED["calls"].schema)
    tools = (DeclaredTool("drop*", "destructive"), DeclaredTool("l*", "read"), DeclaredTool("look", "money"))
    shown = ("risk", "risk_basis", "consequential", "signals")
    found = declared(calls.lazy(), classes(calls["tool_name"].drop_nulls(), tools)).collect()
    assert found.schema == calls.schema
    assert found.select(shown).rows() == [
        ("destructive", "inventory", True, []),
        ("read", "inventory", False, []),
        ("read", "inventory", False, ["x"]),
        ("destructive", "inventory", False, ["bypassed"]),
        ("money", "guess", True, []),
        ("write", "guess", True, []),
    ]
    assert declared(calls.lazy(), classes(calls["tool_name"].drop_nulls(), ())).collect().rows() == calls.rows()
