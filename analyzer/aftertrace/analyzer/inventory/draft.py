"""The inventory as a file, drafted from what was seen: for people to read, to correct, and to keep from then on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.documents.document import moment
from aftertrace.analyzer.documents.severity import RISKS
from aftertrace.analyzer.documents.words import count
from aftertrace.analyzer.expectations import checks as expectation_checks
from aftertrace.analyzer.expectations.patterns import literal
from aftertrace.analyzer.expectations.rules import Rule
from aftertrace.analyzer.expectations.toml_texts import listed, quoted
from aftertrace.analyzer.inventory import seen_agents, sums
from aftertrace.analyzer.schemas.derived import DERIVED, RAN_OUTCOMES

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.inventory.seen_agents import Seen
    from aftertrace.analyzer.reading.select import Filter

_HEAD: Final = """\
# The agents that there should be, and what each may use: drafted from what was seen, which is no approval of it.
# Take out what should not be here, and write down who answers for each agent. What a key leaves out is not held
# against anything; * and ? in names stand for any text and any character, and the first entry that fits counts.
# `aftertrace agents` joins this with what is seen, `aftertrace inventory check` fails on what is not in it.
"""
_TOOLS: Final = """
# Risk classes of tools, for all agents: read, write, destructive, external, money or permission. Where no sender tells
# one it is guessed from the name; a guess counts only when somebody has looked at it and taken out the #.
"""
_UNAUTHENTICATED: Final = ("anonymous", "import")
"""Sources that anybody may be, so that they tell no agent from another."""
_PEOPLE: Final = ("human", "program", "human_or_program")
_Whose: TypeAlias = tuple[str | None, ...]
_WHOSE: Final = ("whose_name", "whose_service", "whose_environment", "whose_tenant", "whose_source")
"""Columns of what tells one agent from another in a draft."""
_PROMPT: Final = (*_WHOSE, "prompt", "system_prompt_digest")
_LET: Final = ("tool_name", "outcome", "allowed_by", "decided_by", "granted_by", "approval")
"""What of a call that ran says who approved it."""


@dataclass(frozen=True, slots=True)
class _Summed:
    """What agents did, summed up over some runs after others; no more of it than names, and how often."""

    agents: pl.DataFrame
    """As of `sums.agents`."""
    prompts: pl.DataFrame
    """By `_WHOSE`, prompt and digest, with `sums.COUNTS`."""
    ran: pl.DataFrame
    """By `sightings.ROLE` and `_LET`: how many `calls` that ran."""
    tools: pl.DataFrame
    """The tools that are known, each with its risk classes."""


def of(analysis: Analysis, wanted: Filter) -> str:
    """The file for the agents of a store that a filter lets through."""
    return drafted((seen_agents.of(share).within(wanted) for share in analysis.shares()), analysis.versioned)


def drafted(seen: Iterable[Seen], versioned: pl.DataFrame) -> str:
    """The file, the same for the same telemetry. `inventory.parsed` reads it, and nothing that was seen is off it.

    Args:
        seen: what agents did, in some runs after others.
        versioned: what each run told of prompts (`configurations.versioned`).
    """
    found = reduce(_together, (_summed(each, versioned) for each in seen))
    last = versioned.select("run_id", *ROLE, "prompt", "set_apart").with_columns(_whose_of())
    prompts = found.prompts.join(
        last.select("set_apart", *_WHOSE, "prompt", latest="run_id"), on=[*_WHOSE, "prompt", "latest"], how="left",
        nulls_equal=True,
    )  # fmt: skip
    groups: dict[_Whose, list[tuple[str | None, ...]]] = {}
    for role in found.agents.select(ROLE).rows():
        groups.setdefault(_whose(dict(zip(ROLE, role, strict=True))), []).append(role)
    of_role = [(frame.partition_by(ROLE, as_dict=True), frame.clear()) for frame in (found.agents, found.ran)]
    of_whose = prompts.partition_by(_WHOSE, as_dict=True)
    parts = [_HEAD]
    for whose in sorted(groups, key=_order):
        agents, ran = (pl.concat([some.get(role, empty) for role in groups[whose]]) for some, empty in of_role)
        told = of_whose.get(whose, prompts.clear())
        parts.append("\n".join(_agent(whose, agents, ran, told)) + "\n")
    parts.append(_TOOLS)
    return "\n".join(parts) + "".join(_tools(found.tools))


def _summed(seen: Seen, versioned: pl.DataFrame) -> _Summed:
    whose = seen.members.with_columns(_whose_of()).select("run_id", *_WHOSE)
    told = versioned.drop_nulls(["prompt", "system_prompt_digest"]).with_columns(_whose_of())
    prompts = told.join(whose, on=["run_id", *_WHOSE], how="semi", nulls_equal=True)
    known = seen.calls.filter(pl.col("outcome") != "unknown_tool").drop_nulls(["tool_name", "risk"])
    ran = seen.calls.filter(pl.col("outcome").is_in(RAN_OUTCOMES))
    return _Summed(
        sums.agents(seen),
        sums.counted(prompts, _PROMPT),
        ran.group_by(*ROLE, *_LET).agg(pl.len().cast(pl.Int64).alias("calls")),
        known.select("tool_name", "risk", "risk_basis").unique(),
    )


def _together(one: _Summed, other: _Summed) -> _Summed:
    return _Summed(
        sums.agents_added([one.agents, other.agents]),
        sums.added([one.prompts, other.prompts], _PROMPT),
        pl.concat([one.ran, other.ran]).group_by(*ROLE, *_LET).agg(pl.col("calls").sum()),
        pl.concat([one.tools, other.tools]).unique(),
    )


def _whose_of() -> list[pl.Expr]:
    """The columns `_WHOSE` of a row with `sightings.ROLE`, as `_whose` tells them."""
    is_sure = pl.col("source").is_not_null() & ~pl.col("source").is_in(_UNAUTHENTICATED)
    is_told = pl.any_horizontal(pl.col("agent_name", "service_name").is_not_null())
    who = (pl.when(is_sure | ~is_told).then(pl.col(name)) for name in ("tenant", "source"))
    named = (*(pl.col(name) for name in ("agent_name", "service_name", "environment")), *who)
    return [each.alias(name) for each, name in zip(named, _WHOSE, strict=True)]


def _whose(role: dict[str, str | None]) -> _Whose:
    """Name, service, environment, tenant and source, as far as they tell one agent from another."""
    is_sure = role["source"] is not None and role["source"] not in _UNAUTHENTICATED
    is_told = role["agent_name"] is not None or role["service_name"] is not None
    who = (role["tenant"], role["source"]) if is_sure or not is_told else (None, None)
    return (role["agent_name"], role["service_name"], role["environment"], *who)


def _order(whose: _Whose) -> tuple[bool, int, list[tuple[bool, str]]]:
    """Who is told more of stands first: an entry that names no environment is about those of any."""
    is_nobody = whose[0] is None and whose[1] is None
    return is_nobody, whose.count(None), [(text is None, text or "") for text in whose]


def _agent(whose: _Whose, agents: pl.DataFrame, ran: pl.DataFrame, prompts: pl.DataFrame) -> Iterator[str]:
    first_ns, last_ns = agents.select(pl.col("first_ns").min(), pl.col("last_ns").max()).row(0)
    runs, calls, near = agents.select(pl.col("runs", "calls", "near_misses").sum()).row(0)
    did = f"{count(calls, 'call')}, {count(near, 'near miss', 'near misses')}"
    yield f"# {count(runs, 'run')} from {moment(first_ns)} to {moment(last_ns)}: {did}"
    yield "[[agent]]"
    for key, text in zip(("name", "service", "environment", "tenant", "source"), whose, strict=True):
        if text is not None:
            yield f"{key} = {quoted(literal(text))}"
    yield 'owner = ""  # who answers for it'
    yield 'identity = ""  # what it is in the systems that it works on'
    models = _names(agents, "models")
    yield f"models = {listed([literal(name) for name in models])}" if models else "# models: none is told"
    yield 'prompt_source = ""  # where its prompt is kept'
    yield from _prompts(prompts)
    yield f"tools = {listed([literal(name) for name in _names(agents, 'tools')])}"
    systems = _names(agents, "systems")
    yield (
        f"systems = {listed([literal(name) for name in systems])}"
        if systems
        else "# systems: none is known to have been changed"
    )
    yield from _approvals(ran)


def _names(agents: pl.DataFrame, column: str) -> list[str]:
    return sorted({name for names in agents[column].to_list() for name in names})


def _prompts(prompts: pl.DataFrame) -> Iterator[str]:
    """One digest for each prompt, and that of its template where something in it differs from run to run."""
    told = (
        prompts.sort("latest_ns", "latest", nulls_last=True)
        .group_by("prompt", maintain_order=True)
        .agg(
            pl.col("runs").sum(),
            pl.col("latest_ns", "system_prompt_digest", "set_apart").last(),
            pl.col("since_ns", "earliest").sort_by("since_ns", "earliest", nulls_last=True).first(),
        )
        .sort("since_ns", "earliest", nulls_last=True)
        .rows(named=True)
    )
    if not told:
        yield "# prompt_digests: no prompt is told"
        return
    yield "prompt_digests = ["
    for row in told:
        when = f"{count(row['runs'], 'run')}, the last {moment(row['latest_ns'])}"
        yield f"    {quoted(row['system_prompt_digest'])},  # {when}"
        if row["set_apart"]:
            yield f"    {quoted('sha256:' + row['prompt'])},  # its template"
    yield "]"


def _approvals(ran: pl.DataFrame) -> Iterator[str]:
    """The tools of which every call that ran was approved by somebody, by who did."""
    asked: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for (tool,), calls in ran.drop_nulls("tool_name").partition_by(["tool_name"], as_dict=True).items():
        by = tuple(calls["decided_by"].unique().sort().to_list())
        is_asked = calls["approval"].is_in(("granted", "modified")).all()
        if is_asked and all(each in _PEOPLE for each in by) and _holds(literal(tool), by, calls):
            asked.setdefault(by, []).append((tool, int(calls["calls"].sum())))
    for by, tools in sorted(asked.items()):
        yield ""
        ran_calls = count(sum(number for _, number in tools), "call")
        yield f"    [[agent.approval]]  # {ran_calls} that ran, each approved so"
        yield f"    tools = {listed([literal(tool) for tool, _ in sorted(tools)], '    ')}"
        yield f"    approved_by = {listed(by)}"


def _holds(tool: str, by: tuple[str, ...], calls: pl.DataFrame) -> bool:
    rule = Rule(name="approval", tools=(tool,), approved_by=by)
    none = {name: pl.DataFrame(schema=DERIVED[name].schema) for name in ("calls", "runs")}
    alike = pl.concat([none["calls"], calls.select(_LET)], how="diagonal")
    (checked,) = expectation_checks.check((rule,), alike, none["runs"])
    return checked.findings.is_empty()


def _tools(known: pl.DataFrame) -> Iterator[str]:
    """The tools with their classes; of several that senders tell, the worst."""
    told = known.rows()
    classes: dict[str, list[tuple[bool, int, str]]] = {}
    for tool, risk, basis in told:
        classes.setdefault(tool, []).append((basis != "guess", RISKS.get(risk, 1), risk))
    for tool, ranked in sorted(classes.items()):
        is_told, _, risk = max(ranked)
        lines: Sequence[str] = ("[[tool]]", f"name = {quoted(literal(tool))}", f"risk = {quoted(risk)}")
        yield "\n" + "".join(("" if is_told else "# ") + line + "\n" for line in lines)
