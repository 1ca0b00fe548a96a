"""Agents: who took part in a run, which agent set which to work, by which call, and what each used."""

from __future__ import annotations

from itertools import permutations
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer.identity.delegations import by_parent_id
from aftertrace.analyzer.runs.agents import MOST_ABOVE

from . import frames
from .stories import event, span, stored

NOBODYS: Final = {"tool_name": None, "call_id": None}
COLUMNS: Final = ("path", "how", "how_basis", "parent_name", "delegated_by_tool", "delegated_by_call")


def agent(name: str, s: float, under: str = "f" * 16, **columns: Any) -> dict[str, Any]:
    """The span of an agent's turn."""
    return span("invoke_agent", s=s, agent_name=name, parent_span_id=under, span_id=f"{name:0>16}", **columns)


def tool(name: str, s: float, under: str, call_id: str = "c-9") -> dict[str, Any]:
    """The span of a tool that an agent called."""
    return span("execute_tool", s=s, agent_name=None, tool_name=name, call_id=call_id, parent_span_id=f"{under:0>16}",
                span_id=f"{name:0>16}")  # fmt: skip


def tree(*spans: dict[str, Any], events: tuple[dict[str, Any], ...] = ()) -> list[tuple[Any, ...]]:
    """The agents that a story tells."""
    return stored(*events, spans=spans).analysis().agents.select(COLUMNS).rows()


ROOT: Final = (["clerk"], "root", None, None, None, None)


def test_an_agent_below_anothers_tool_was_set_to_work_by_that_call() -> None:
    """An agent as a tool: Pydantic AI, AI SDK, Strands, Claude Code's spans."""
    found = tree(agent("clerk", 0), tool("research", 1, "clerk"), agent("reader", 2, "research".rjust(16, "0")))
    assert found == [ROOT, (["clerk", "reader"], "delegated", "explicit", "clerk", "research", "c-9")]


def test_an_agent_below_another_without_a_call_is_nested() -> None:
    """A sub-graph, or a workflow's step; the tools of the agents beside it did not start it."""
    found = tree(agent("clerk", 0), tool("pay", 1, "clerk"), agent("reader", 2, "clerk".rjust(16, "0")))
    assert found == [ROOT, (["clerk", "reader"], "nested", "explicit", "clerk", None, None)]


def test_a_tree_has_as_many_levels_as_the_run() -> None:
    """Each agent lies below the one that set it to work."""
    found = tree(
        agent("clerk", 0),
        tool("ask", 1, "clerk", "c-1"),
        agent("lead", 2, "ask".rjust(16, "0")),
        tool("look", 3, "lead", "c-2"),
        agent("reader", 4, "look".rjust(16, "0")),
    )
    assert [(row[0], row[4], row[5]) for row in found] == [
        (["clerk"], None, None),
        (["clerk", "lead"], "ask", "c-1"),
        (["clerk", "lead", "reader"], "look", "c-2"),
    ]


def handed(to: str, s: float, agent_name: str = "clerk", **columns: Any) -> dict[str, Any]:
    """A call of the tool that hands the run over."""
    return event("tool.called", "completed", s=s, agent_name=agent_name, end_ns=None,
                 **{"tool_name": f"transfer_to_{to}", "call_id": f"c-{s}", **columns})  # fmt: skip


HANDED: Final = {
    "a tool named after the agent": (handed("billing_desk", 1), "inferred"),
    "a record that names the agent": (
        handed("x", 1, attributes='{"to_agent":"Billing desk"}'),
        "explicit",
    ),
    "an argument that names the agent": (
        handed("agent", 1, arguments='{"agent_name":"Billing desk"}'),
        "inferred",
    ),
}


@pytest.mark.parametrize("name", HANDED)
def test_a_hand_off_sets_the_next_agent_to_work(name: str) -> None:
    """OpenAI Agents name the tool after it, ADK has one tool for all."""
    call, basis = HANDED[name]
    found = tree(agent("clerk", 0), agent("Billing desk", 3), events=(call,))
    (child,) = [row for row in found if row[1] != "root"]
    assert child[:4] == (["clerk", "Billing desk"], "handed_over", basis, "clerk")
    assert child[4:] == (call["tool_name"], call["call_id"])


def test_a_hand_off_and_back_makes_no_circle() -> None:
    """Whoever was first stays at the root."""
    found = tree(agent("clerk", 0), agent("helper", 3), events=(handed("helper", 1), handed("clerk", 4, "helper")))
    assert [(row[0], row[1]) for row in found] == [(["clerk"], "root"), (["clerk", "helper"], "handed_over")]


def test_agents_that_nothing_joins_are_roots_each() -> None:
    """The control: who came later was not set to work by who came first."""
    assert [row[1] for row in tree(agent("clerk", 0), agent("helper", 3))] == ["root", "root"]


def test_sub_agents_are_told_apart_by_their_ids_and_joined_to_the_parent_they_name() -> None:
    """Claude Code: the main agent has no id, and each sub-agent names who started it, but the first level's."""

    def said(agent_id: str | None, s: float, name: str = "explorer", **told: Any) -> dict[str, Any]:
        return event("tool.called", "completed", s=s, agent_name=name, agent_id=agent_id, call_id=f"c-{s}", **told)

    found = stored(
        said(None, 0, "claude-code"),
        said("a-1", 1),
        said("a-2", 2),
        said("a-3", 3, "planner", attributes='{"parent_agent_id":"a-2"}'),
    ).analysis().agents  # fmt: skip
    assert found.select("path", "agent_id", "parent_id", "how_basis", "calls").rows() == [
        (["claude-code"], None, None, None, 1),
        (["claude-code", "explorer"], "a-1", None, "inferred", 1),
        (["claude-code", "explorer"], "a-2", None, "inferred", 1),
        (["claude-code", "explorer", "planner"], "a-3", "a-2", "explicit", 1),
    ]


def test_a_sub_agent_without_a_name_of_its_own_is_not_taken_for_the_main_agent() -> None:
    """Claude Code may tell only the id; a framework tells the id of its one agent with some records alone."""
    rows = [event("model.called", s=s, agent_name="clerk", agent_id=agent_id, **NOBODYS)
            for s, agent_id in enumerate((None, "a-1"))]  # fmt: skip
    claude = stored(*({**row, "dialect": "claude_code"} for row in rows)).analysis().agents
    framework = stored(*rows).analysis().agents
    assert claude.select("agent_id", "how").rows() == [(None, "root"), ("a-1", "nested")]
    assert framework.select("agent_id", "how").rows() == [("a-1", "root")]


def test_the_call_that_names_a_sub_agent_delegated_to_it() -> None:
    """Without spans, Claude Code's Agent tool names the kind; of two calls, the last before the agent was heard of."""

    def asked(call: str, s: float) -> dict[str, Any]:
        return event("tool.called", "completed", s=s, agent_name="claude-code", agent_id=None, tool_name="Agent",
                     call_id=call, arguments='{"subagent_type":"explorer"}')  # fmt: skip

    heard = event("model.called", s=5, agent_name="explorer", agent_id="a-1", **NOBODYS)
    found = tree(events=(asked("c-1", 1), asked("c-2", 4), asked("c-3", 9), heard))
    assert found[1] == (["claude-code", "explorer"], "delegated", "inferred", "claude-code", "Agent", "c-2")


def test_a_sub_agent_that_has_but_an_id_was_started_by_the_call_before_it() -> None:
    """Session files of Claude Code name the kind of a sub-agent nowhere else."""
    rows = [
        event("tool.called", "completed", s=1, agent_name="claude-code", tool_name="Task", call_id="c-1"),
        event("model.called", s=2, agent_name="claude-code", agent_id="a-1", **NOBODYS),
        event("tool.called", "completed", s=3, agent_name="claude-code", tool_name="Task", call_id="c-2"),
        event("model.called", s=4, agent_name="claude-code", agent_id="a-2", **NOBODYS),
    ]
    found = stored(*({**row, "dialect": "claude_code_session"} for row in rows)).analysis().agents
    assert found.select("agent_id", "how", "how_basis", "delegated_by_call").rows() == [
        (None, "root", None, None),
        ("a-1", "delegated", "inferred", "c-1"),
        ("a-2", "delegated", "inferred", "c-2"),
    ]


def test_a_run_that_names_the_run_that_started_it_lies_below_its_agent() -> None:
    """By our own conventions, over processes and traces; another sender's run of that name is another run."""

    def run(key: str, s: float, name: str, **columns: Any) -> dict[str, Any]:
        return event("run.created", s=s, agent_name=name, run_key=key, trace_id=f"{s:032.0f}", conversation_id=None,
                     **NOBODYS, **columns)  # fmt: skip

    child = run("r-2", 2, "reader", attributes='{"run_parent_id":"r-1"}')
    below = stored(run("r-1", 1, "clerk"), child).analysis().agents.sort("depth")
    assert below.select("path", "how", "how_basis").rows() == [
        (["clerk"], "root", None),
        (["clerk", "reader"], "nested", "explicit"),
    ]
    apart = stored(run("r-1", 1, "clerk", source="another"), child).analysis().agents
    assert apart["how"].to_list() == ["root", "root"]


def test_codex_names_a_sub_agent_by_its_path() -> None:
    """Under the agent whose path encloses it; the main agent's is not told."""
    heard = [event("model.called", s=s, agent_name=path or "codex", agent_id=path, **NOBODYS)
             for s, path in enumerate((None, "/root/lead", "/root/lead/reader"))]  # fmt: skip
    assert [row[0] for row in tree(events=tuple(heard))] == [
        ["codex"],
        ["codex", "/root/lead"],
        ["codex", "/root/lead", "/root/lead/reader"],
    ]


def test_a_session_that_another_started_is_a_run_of_its_own_and_says_by_which() -> None:
    """A sub-agent of opencode has a session of its own; its spans lie in the trace of the one that started it."""
    found = stored(
        spans=(
            agent("opencode", 0, conversation_id="s-1"),
            tool("task", 1, "opencode") | {"agent_name": "opencode", "conversation_id": "s-1"},
            agent("opencode", 2, "task".rjust(16, "0"), conversation_id="s-2") | {"span_id": "b" * 16},
        )
    ).analysis().agents.sort("first_ns")  # fmt: skip
    parent, child = found.to_dicts()
    assert parent["run_id"] == child["parent_run_id"] != child["run_id"]
    assert (child["path"], child["how"], child["delegated_by_tool"], child["delegated_by_call"]) == (
        ["opencode", "opencode"],
        "delegated",
        "task",
        "c-9",
    )


def test_each_agent_has_its_own_models_tokens_and_cost() -> None:
    """And the run has their sum."""
    used = {"input_tokens": 10, "output_tokens": 3, "cost_usd": 0.5}
    chats = [
        span("chat", s=s, agent_name=name, model=model, span_id=f"{s:016x}", **used)
        for s, (name, model) in enumerate((("clerk", "big"), ("reader", "small"), ("reader", "small")), start=5)
    ]
    found = stored(spans=(agent("clerk", 0), agent("reader", 2, "clerk".rjust(16, "0")), *chats)).analysis()
    columns = ("agent_name", "model", "input_tokens", "output_tokens", "cost_usd")
    assert found.agents.select(columns).rows() == [("clerk", "big", 10, 3, 0.5), ("reader", "small", 20, 6, 1.0)]
    assert found.runs.select("input_tokens", "cost_usd").rows() == [(30, 1.5)]


def test_a_chain_of_agents_has_as_many_levels_as_are_told_and_no_more() -> None:
    """A runaway agent that calls itself under ever new names: each is told of, below the first of them."""
    chain = [
        event("model.called", s=s, agent_name=f"a{s}", agent_id=f"i{s}",
              attributes=f'{{"parent_agent_id":"i{s - 1}"}}', **NOBODYS)
        for s in range(200)
    ]  # fmt: skip
    found = stored(*chain).analysis().agents.sort("first_ns")
    assert found["depth"].to_list() == [min(s, MOST_ABOVE) for s in range(200)]
    assert found["path"].to_list() == [[f"a{at}" for at in range(min(s, MOST_ABOVE))] + [f"a{s}"] for s in range(200)]


def test_of_several_agents_without_an_id_the_first_set_the_others_to_work() -> None:
    """However the rows lie."""
    told = [("reader", None, 3), ("clerk", None, 1), ("boss", None, 1), ("explorer", "a-1", 2)]
    schema = {"run_id": pl.String, "agent_name": pl.String, "agent_id": pl.String, "at_ns": pl.Int64}
    parents = {
        by_parent_id(
            pl.DataFrame([("r", *row) for row in rows], schema=schema, orient="row"),
            pl.DataFrame(schema={**schema, "attributes": pl.String, "time_ns": pl.Int64}),
        )["parent_name"].item()
        for rows in permutations(told)
    }
    assert parents == {"boss"}


@pytest.mark.parametrize(
    "case", ["openinference_reject_approve", "openllmetry_reject_approve", "logfire_reject_approve"]
)
def test_a_recorded_hand_off_is_told_alike_by_every_instrumentation(case: str) -> None:
    """The helper took over by the call that the model made."""
    found = frames.recording("openai-agents", case).analysis().agents.filter(pl.col("how") != "root")
    (row,) = found.select("path", "how", "delegated_by_tool").rows()
    assert row == (["dbbot", "helper"], "handed_over", "transfer_to_helper")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_any_telemetry_gives_a_tree(pairs: list[tuple[int, int]]) -> None:
    """Spans in circles, hand-offs in circles: every agent has one place, below agents of the run alone."""
    spans = [agent(f"a{child}", s, f"a{above}".rjust(16, "0")) for s, (child, above) in enumerate(pairs)]
    calls = [handed(f"a{child}", s, f"a{above}") for s, (child, above) in enumerate(pairs)]
    found = stored(*calls, spans=tuple(spans)).analysis().agents
    names = set(found["agent_name"])
    assert found.select("run_id", "agent_name", "agent_id").is_unique().all()
    for row in found.iter_rows(named=True):
        assert row["path"][-1] == row["agent_name"]
        assert len(set(row["path"])) == len(row["path"]) == row["depth"] + 1
        assert set(row["path"]) <= names
        assert (row["how"] == "root") == (row["parent_name"] is None)
