"""The declared inventory held against the agents that were seen: what nobody declared, and what is declared in vain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import polars as pl

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.documents.document import moment
from aftertrace.analyzer.expectations.patterns import fits, only_name
from aftertrace.analyzer.inventory import seen_agents, sums
from aftertrace.analyzer.inventory.declared import DeclaredAgent, Inventory
from aftertrace.analyzer.inventory.findings import FINDINGS, KINDS_USED, Finding, of_agent
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.expectations.rules import Rule
    from aftertrace.analyzer.inventory.seen_agents import Seen

SILENT_NS: Final = 30 * 24 * 3600 * 10**9
"""A declared agent without a run for so long is silent, where no time is asked for."""
AGENTS: Final = {
    "agent_name": (pl.String(), "agent; null where its runs do not name it"),
    "service_name": (pl.String(), "service that reported it; of an agent that was not seen these are as declared"),
    "environment": (pl.String(), "deployment environment"),
    "tenant": (pl.String(), "tenant of the source"),
    "source": (pl.String(), "who sent it, as authenticated"),
    "state": (
        pl.String(),
        "`registered`; `unregistered`; `silent`: declared, and not seen; null: no inventory is given",
    ),
    "owner": (pl.String(), "who answers for it, as declared"),
    "entry": (pl.Int64(), "which `[[agent]]` of the inventory is about it, from 1"),
    "runs": (pl.Int64(), "runs it took part in"),
    "calls": (pl.Int64(), "calls it made"),
    "near_misses": (pl.Int64(), "near misses among them"),
    "models": (pl.List(pl.String()), "models it asked, and that answered"),
    "tools": (pl.List(pl.String()), "tools of its calls that ran"),
    "systems": (pl.List(pl.String()), "systems of record it changed, by receipts and results"),
    "broken": (pl.Int64(), "findings that are broken: what nobody declared"),
    "unknown": (pl.Int64(), "findings of which it cannot be told"),
    "first_at": (TIMESTAMP, "first run"),
    "last_at": (TIMESTAMP, "last heard of; of a silent agent at any time"),
    "last_run_id": (pl.String(), "its latest run"),
    "first_ns": (pl.Int64(), "first run"),
}
"""One row per agent that was seen or declared: name, type, and what it means."""
_VERDICTS: Final = {"broken": 0, "unknown": 1, "idle": 2}
_Last: TypeAlias = dict[int, tuple[int, str]]
_EntryOf: TypeAlias = Callable[[Mapping[str, Any]], int | None]


@dataclass(frozen=True, slots=True)
class Checked:
    """The agents that were seen, joined with those that are declared."""

    agents: pl.DataFrame
    """Columns as in `AGENTS`: first those that nobody declared, then in the order of the file."""
    findings: pl.DataFrame
    """Columns as in `inventory_findings.FINDINGS`, in the same order: broken, unknown, idle."""

    def count(self, verdict: str) -> int:
        """How many findings are `broken`, `unknown` or `idle`."""
        return int((self.findings["verdict"] == verdict).sum())


def of(analysis: Analysis, inventory: Inventory | None, wanted: Filter | None = None) -> Checked:
    """The agents of a store that a filter lets through, held against an inventory."""
    tells_prompts = inventory is not None and any(each.prompt_digests is not None for each in inventory.agents)
    versioned = analysis.versioned if tells_prompts else None
    seen = (seen_agents.of(share) for share in analysis.shares())
    return check(seen, versioned, inventory, wanted or Filter(), analysis.now_ns)


def check(
    seen: Iterable[Seen], versioned: pl.DataFrame | None, inventory: Inventory | None, wanted: Filter, now_ns: int
) -> Checked:
    """The agents that a filter lets through, held against an inventory.

    Args:
        seen: what agents did, in some runs after others.
        versioned: what each run told of prompts (`configurations.versioned`); None where no prompt is declared.
        inventory: what is declared; None tells what was seen.
        wanted: which agents, and when.
        now_ns: the time it is judged at.
    """
    declared = inventory.agents if inventory is not None else ()
    entry_of = _entries(declared)
    in_time, of_all_times, used = _summed(seen, versioned, declared, entry_of, wanted)
    found, ever = (
        agents.with_columns(entry=pl.Series(map(entry_of, agents.select(ROLE).rows(named=True)), dtype=pl.Int64))
        for agents in (in_time, of_all_times)
    )
    last, known = _last(ever), set(ever["entry"])
    since_ns = wanted.since_ns if wanted.since_ns is not None else (wanted.until_ns or now_ns) - SILENT_NS
    silent = [
        nth
        for nth, each in enumerate(declared, start=1)
        if _is_asked_for(each, wanted) and (last[nth][0] < since_ns if nth in last else nth not in known)
    ]
    rows = [] if inventory is None else list(_unregistered(found))
    of_role = {kind: frame.partition_by(ROLE, as_dict=True, include_key=False) for kind, frame in used.items()}
    of_entry = found.partition_by("entry", as_dict=True, maintain_order=True)
    for nth, each in enumerate(declared, start=1):
        roles = of_entry.get((nth,), found.clear())
        for role in roles.select(ROLE).rows():
            whose = dict(zip(ROLE, role, strict=True))
            mine = {kind: of_role[kind].get(role, frame.clear().drop(ROLE)) for kind, frame in used.items()}
            prompts = None if versioned is None else versioned.filter(_is_of(whose))
            rows += [finding.row(whose, nth, each.owner) for finding in of_agent(each, mine, prompts)]
        about = roles.row(0, named=True) if roles.height else _whose(each)
        entry = _of_entry(each, roles, since_ns, last.get(nth), is_silent=nth in silent)
        rows += [finding.row(about, nth, each.owner) for finding in entry]
    findings = pl.DataFrame(rows, schema=FINDINGS, orient="row").sort(
        pl.col("entry").fill_null(0),
        pl.col("verdict").replace_strict(_VERDICTS, return_dtype=pl.Int64),
        maintain_order=True,
    )
    listed = found.with_columns(
        state=pl.when(inventory is None)
        .then(pl.lit(None, dtype=pl.String))
        .when(pl.col("entry").is_null())
        .then(pl.lit("unregistered"))
        .when(pl.col("entry").is_in(silent))
        .then(pl.lit("silent"))
        .otherwise(pl.lit("registered"))
    )
    unseen = [nth for nth in silent if (nth,) not in of_entry]
    gone = [_gone(nth, declared[nth - 1], last.get(nth)) for nth in unseen]
    return Checked(_listed(pl.concat([listed, pl.DataFrame(gone, schema=listed.schema)]), declared, findings), findings)


def _summed(
    seen: Iterable[Seen],
    versioned: pl.DataFrame | None,
    declared: Sequence[DeclaredAgent],
    entry_of: _EntryOf,
    wanted: Filter,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, pl.DataFrame]]:
    """The agents that a filter lets through, those of all times, and what the former used (`sums.uses`)."""

    def rules(whose: Mapping[str, str | None]) -> Sequence[Rule]:
        entry = entry_of(whose)
        return () if entry is None else declared[entry - 1].approvals

    kinds = [kind for kind, key in KINDS_USED.items() if any(_tells(each, key) for each in declared)]
    if versioned is None:
        kinds = [kind for kind in kinds if kind != "prompts"]
    in_time: list[pl.DataFrame] = []
    ever: list[pl.DataFrame] = []
    used: dict[str, pl.DataFrame] = {}
    for each in seen:
        some = each.within(wanted)
        in_time = [sums.agents_added([*in_time, sums.agents(some)])]
        ever = [sums.agents_added([*ever, sums.agents(each)])] if wanted != Filter() else in_time
        for kind, counts in sums.uses(some, versioned, rules, kinds).items():
            used[kind] = sums.added([*([used[kind]] if kind in used else []), counts], [*ROLE, *sums.USES[kind]])
    return in_time[0], ever[0], used


def _tells(each: DeclaredAgent, key: str) -> bool:
    """Whether an entry declares something of this kind, be it that there is none."""
    return bool(each.approvals) if key == "approvals" else getattr(each, key) is not None


def _entries(declared: Sequence[DeclaredAgent]) -> _EntryOf:
    """Gives which of those that are declared is the first that is about an agent."""
    # By name: thousands of agents under thousands of entries are not compared each with each.
    of_name: dict[str | None, list[int]] = {}
    of_any: list[int] = []
    for nth, each in enumerate(declared, start=1):
        name = None if each.name is None else only_name(each.name)
        if each.name is None or name is not None:
            of_name.setdefault(name, []).append(nth)
        else:
            of_any.append(nth)

    def entry_of(role: Mapping[str, str | None]) -> int | None:
        named = (*of_name.get(role["agent_name"], ()), *of_any)
        return min((nth for nth in named if declared[nth - 1].is_about(role)), default=None)

    return entry_of


def _last(agents: pl.DataFrame) -> _Last:
    """When the agents of each entry were last heard of, and in which run."""
    told = agents.drop_nulls(["entry", "last_ns"]).sort("last_ns", "last_run_id")
    return {nth: (last_ns, run_id) for nth, last_ns, run_id in told.select("entry", "last_ns", "last_run_id").rows()}


def _is_asked_for(each: DeclaredAgent, wanted: Filter) -> bool:
    """Whether agents of an entry may be among those that a filter lets through."""
    if wanted.agent is not None and each.name is None:
        return False
    asked = ((wanted.agent, each.name), (wanted.environment, each.environment), (wanted.tenant, each.tenant))
    return all(want is None or pattern is None or fits(want, (pattern,)) for want, pattern in asked)


def _unregistered(found: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for role in found.filter(pl.col("entry").is_null()).rows(named=True):
        finding = Finding(
            "broken",
            "unregistered",
            role["agent_name"],
            f"no entry is about it, first seen {moment(role['first_ns'])} UTC",
            "an entry in the inventory",
            *(role[name] for name in ("runs", "calls", "last_run_id", "first_ns", "last_ns")),
        )
        yield finding.row(role, None, None)


def _of_entry(
    each: DeclaredAgent, roles: pl.DataFrame, since_ns: int, last: tuple[int, str] | None, *, is_silent: bool
) -> Iterator[Finding]:
    """What is declared for nothing, and what the entry leaves out."""
    if is_silent:
        wanted = f"a run since {moment(since_ns)} UTC"
        if last is None:
            yield Finding("idle", "silent", None, "never seen", wanted)
        else:
            found = f"silent since {moment(last[0])} UTC"
            yield Finding("idle", "silent", None, found, wanted, run_id=last[1], last_ns=last[0])
    elif roles.height:
        yield from _unused(each, roles)
    if each.owner is None and (is_silent or roles.height):
        yield Finding("unknown", "no_owner", None, "nobody is named who answers for it", "an owner")


def _unused(each: DeclaredAgent, roles: pl.DataFrame) -> Iterator[Finding]:
    for kind, noun, patterns, column in (
        ("unused_tool", "tool", each.tools, "tools"),
        ("unused_model", "model", each.models, "models"),
        ("unused_system", "system", each.systems, "systems"),
    ):
        used = {name for names in roles[column].to_list() for name in names}
        for pattern in patterns or ():
            if not any(fits(name, (pattern,)) for name in used):
                yield Finding("idle", kind, pattern, f"{noun} {pattern} is declared and was not used", "a use of it")


def _is_of(whose: Mapping[str, str | None]) -> pl.Expr:
    return pl.all_horizontal(pl.col(name).eq_missing(pl.lit(value, dtype=pl.String)) for name, value in whose.items())


def _whose(each: DeclaredAgent) -> dict[str, str | None]:
    told = (each.source, each.tenant, each.environment, each.service, each.name)
    return dict(zip(ROLE, told, strict=True))


def _gone(nth: int, each: DeclaredAgent, last: tuple[int, str] | None) -> dict[str, Any]:
    last_ns, run_id = last or (None, None)
    did = {"runs": 0, "calls": 0, "near_misses": 0, "models": [], "tools": [], "systems": []}
    return {**_whose(each), **did, "entry": nth, "state": "silent", "last_ns": last_ns, "last_run_id": run_id}


def _listed(agents: pl.DataFrame, declared: Sequence[DeclaredAgent], findings: pl.DataFrame) -> pl.DataFrame:
    counted = findings.group_by([*ROLE, "entry"]).agg(
        *((pl.col("verdict") == name).sum().cast(pl.Int64).alias(name) for name in ("broken", "unknown"))
    )
    owners = pl.DataFrame(
        [(nth, each.owner) for nth, each in enumerate(declared, start=1)],
        schema={"entry": pl.Int64, "owner": pl.String},
        orient="row",
    )
    return (
        agents.join(counted, on=[*ROLE, "entry"], how="left", nulls_equal=True)
        .join(owners, on="entry", how="left")
        .with_columns(
            pl.col("broken", "unknown").fill_null(0),
            first_at=pl.col("first_ns").cast(TIMESTAMP),
            last_at=pl.col("last_ns").cast(TIMESTAMP),
        )
        .sort(pl.col("entry").fill_null(0), "agent_name", *(name for name in ROLE if name != "agent_name"))
        .select(pl.col(name).cast(kind) for name, (kind, _) in AGENTS.items())
    )
