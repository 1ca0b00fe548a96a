"""From an incident to a control: the rule that would have caught a call, or what stands out in a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.drafting.history import History
from aftertrace.analyzer.expectations.checks import check, with_tokens
from aftertrace.analyzer.expectations.patterns import literal
from aftertrace.analyzer.expectations.rules import LIMITS, Limit, Rule
from aftertrace.analyzer.schemas.derived import DERIVED, RAN_OUTCOMES
from aftertrace.store.errors import Invalid

PERSON: Final = ("human",)
_MOST_RULES: Final = 5
"""As many calls of a run get a rule of their own."""
_FEW_RUNS: Final = 5
"""Of fewer other runs nobody can say what is usual."""
_NO_CALLS: Final = pl.DataFrame(schema=DERIVED["calls"].schema)
_NO_RUNS: Final = pl.DataFrame(schema=DERIVED["runs"].schema)


@dataclass(frozen=True, slots=True)
class Drafted:
    """A rule, and what it was drafted from."""

    rule: Rule
    why: str
    """What it rests on, as one sentence without its end."""
    verdict: str
    """What the rule says of it: `broken`, `unknown`, or `holds` where nothing ran."""
    call: Mapping[str, Any] | None
    """The call it was drafted from, columns as in `schemas.CALLS`; None: the run."""


def of_call(call: Mapping[str, Any], history: History) -> Drafted:
    """The rule that would have caught a call: a person's approval, or where a person gave it, a tool less.

    Args:
        call: one row of `calls`.
        history: what is on record.

    Raises:
        Invalid: nothing tells which tool it is of.
    """
    tool, agent, environment = call["tool_name"], call["agent_name"], call["environment"]
    if tool is None:
        raise Invalid(
            f"control from call {call['call_key']!r}: its tool is not told, expected one; no rule can name it"
        )
    agents, environments = _scope(agent), _scope(environment)
    of = "" if agent is None else f" ({agent})"
    approval = Rule(
        name=f"{tool} needs a person{of}",
        agents=agents,
        environments=environments,
        tools=(literal(tool),),
        approved_by=PERSON,
    )
    own = pl.DataFrame([dict(call)], schema=DERIVED["calls"].schema)
    if call["outcome"] not in RAN_OUTCOMES:
        held = f"it did not run ({call['outcome']}{' by ' + call['decided_by'] if call['decided_by'] else ''})"
        return Drafted(approval, f"{held}; the rule breaks where such a call runs that nobody approved", "holds", call)
    found = check((approval,), own, _NO_RUNS)[0].findings
    if found.height:
        row = found.row(0, named=True)
        return Drafted(approval, f"it ran: {row['found']}", row["verdict"], call)
    is_other = pl.col("agent_name").eq_missing(pl.lit(agent)) & (pl.col("tool_name") != tool)
    others = {
        name
        for calls in history.calls(is_other & pl.col("outcome").is_in(RAN_OUTCOMES))
        for name in calls["tool_name"].unique()
    }
    only = tuple(literal(name) for name in sorted(others))
    rule = Rule(name=f"no {tool}{of}", agents=agents, environments=environments, only_tools=only)
    return Drafted(rule, "it ran, and a person had approved it; so that the tool has to go", "broken", call)


def of_run(run: Mapping[str, Any], made: pl.DataFrame, history: History) -> list[Drafted]:
    """The rules that would have caught a run: of its calls that ran past a control, else above risk `read` with nobody
    asked; and a limit, where it had more of something than any other run of its agent.

    Args:
        run: one row of `runs`.
        made: its calls, columns as in `schemas.CALLS`.
        history: what is on record.

    Raises:
        Invalid: nothing in it stands out.
    """
    own = made.filter(pl.col("outcome").is_in(RAN_OUTCOMES)).drop_nulls("tool_name")
    odd = own.filter(pl.col("signals").list.len() > 0)
    if odd.is_empty():
        above = own.filter(pl.col("risk") != "read")
        needs = Rule(name="a person", approved_by=PERSON)
        let = check((needs,), above, _NO_RUNS)[0].findings.filter(pl.col("verdict") == "broken")
        odd = above.join(let, on="call_key", how="semi")
    firsts = odd.sort("first_ns", "call_key", nulls_last=True).unique("tool_name", keep="first", maintain_order=True)
    drafts = [of_call(call, history) for call in firsts.head(_MOST_RULES).rows(named=True)]
    drafts += _limits(run, history)
    if not drafts:
        raise Invalid(
            f"control from run {run['run_id']!r}: no call of it ran past a control, or above risk `read` with nobody "
            "asked, and it is no larger than others; name the call: "
            f"`aftertrace calls --run {run['run_id']} --format json` has their ids"
        )
    return drafts


def _limits(run: Mapping[str, Any], history: History) -> Iterator[Drafted]:
    """The limit that the run is furthest over: the most of any other run of its agent."""
    agent, environment = run["agent_name"], run["environment"]
    own = pl.DataFrame([dict(run)], schema=DERIVED["runs"].schema)
    mine = with_tokens(own).row(0, named=True)
    columns = [column for column, *_ in LIMITS.values()]
    is_other = pl.col("agent_name").eq_missing(pl.lit(agent)) & (pl.col("run_id") != run["run_id"])
    others = [with_tokens(runs).select(columns) for runs in history.runs(is_other)]
    told = [(each.select(pl.all().max()), each.select(pl.all().count())) for each in others]
    most, known = (pl.concat(each) for each in zip(*told, strict=True))
    over: list[tuple[float, Limit, int]] = []
    for key, (column, unit, _) in LIMITS.items():
        largest: Any = most[column].max()
        times = int(known[column].sum())
        if mine[column] is not None and times >= _FEW_RUNS and mine[column] > largest:
            over.append((mine[column] / (largest or 1), Limit(key, round(largest / unit, 6)), times))
    if not over:
        return
    _, limit, others_runs = max(over, key=lambda each: each[0])
    of = "" if agent is None else f" of {agent}"
    rule = Rule(
        name=f"no run{of} is so large",
        agents=_scope(agent),
        environments=_scope(environment),
        limits=(limit,),
    )
    why = f"none of {others_runs:,} other runs of its agent had more {LIMITS[limit.key][0].removesuffix('_ns')}"
    if check((rule,), _NO_CALLS, own)[0].broken:
        yield Drafted(rule, why, "broken", None)


def _scope(name: str | None) -> tuple[str, ...]:
    return () if name is None else (literal(name),)
