"""Expectations: what should hold of calls and runs, as people write it: whose approval, which tools, what limits."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Final

from aftertrace.analyzer.schemas.derived import DECIDERS
from aftertrace.store.errors import Invalid

RISKS: Final = ("read", "write", "destructive", "external", "money", "permission")
ARGUMENTS: Final = "arguments"
SELECTORS: Final = {
    "agents": "Only calls, or runs, of agents of these names.",
    "environments": "Only in these deployment environments.",
    "tools": "Only calls of these tools.",
    "risks": f"Only calls of tools of these risk classes: {', '.join(RISKS)}.",
    ARGUMENTS: (
        "Only calls with these arguments: a table of JSON Pointers (RFC 6901), each with a list of texts that the "
        'value there may be, such as `"/to" = ["*@example.com"]`. What is no text is told as JSON, `*` is any value '
        'that is there, and the path `""` is the arguments whole. They are those that it ran with, where known.'
    ),
}
"""What a rule is about, by key; all that are given must hold, and a rule without one is about everything. Names may
hold `*` and `?`."""
DEMANDS: Final = {
    "approved_by": f"Each call that ran was approved by one of these classes: {', '.join(DECIDERS)}.",
    "reviewers": "Each call that ran was approved by one of these reviewers, as the sender names them.",
    "standing_grants": "`true`: a standing grant of an earlier answer will do for an approval.",
    "only_tools": "No call of another tool ran.",
}
"""What is demanded of calls, by key."""
LIMITS: Final = {
    "most_calls": ("calls", 1.0, "No run made more calls."),
    "most_near_misses": ("near_misses", 1.0, "No run had more near misses."),
    "most_tokens": ("tokens", 1.0, "No run read and wrote more tokens."),
    "most_cost_usd": ("cost_usd", 1.0, "No run cost more, as stated."),
    "most_duration_s": ("duration_ns", 1e9, "No run lasted longer, in seconds; waits for people count."),
}
"""What is demanded of runs, by key: the column of `runs`, what divides it, and what it says."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a run may have of something: a key of `LIMITS`, and how much."""

    key: str
    most: float


@dataclass(frozen=True, slots=True)
class Argument:
    """What one argument of a call may be: a JSON Pointer (RFC 6901), and patterns of which one must fit."""

    path: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what it is about, and what is demanded of it. Empty is everything; None is no demand."""

    name: str
    agents: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    arguments: tuple[Argument, ...] = ()
    approved_by: tuple[str, ...] | None = None
    reviewers: tuple[str, ...] | None = None
    standing_grants: bool = False
    only_tools: tuple[str, ...] | None = None
    limits: tuple[Limit, ...] = ()


def parsed(text: str, name: str) -> tuple[Rule, ...]:
    """The rules of a TOML text; `name` is what errors call it.

    Raises:
        Invalid: it is no TOML, a key or a value is not known, a rule demands nothing, or there is none.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        also = ", and YAML is not read" if name.endswith((".yaml", ".yml")) else ""
        raise Invalid(f"{name}: not TOML{also}: {error}") from error
    if unknown := sorted(set(document) - {"rule"}):
        raise Invalid(f"{name}: {unknown[0]!r} is not known, expected [[rule]] tables only")
    tables = document.get("rule")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise Invalid(f"{name}: no rule found, expected at least one [[rule]] table")
    rules = tuple(rule(table, f"{name}: rule {nth}") for nth, table in enumerate(tables, start=1))
    twice = next((each.name for nth, each in enumerate(rules) if each.name in {r.name for r in rules[:nth]}), None)
    if twice is not None:
        raise Invalid(f"{name}: two rules are named {twice!r}, expected a name for each")
    return rules


def rule(table: dict[str, Any], where: str) -> Rule:
    """The rule of one table; `where` is what errors call it. Raises `Invalid`."""
    known = ["name", *SELECTORS, *DEMANDS, *LIMITS]
    if unknown := sorted(set(table) - set(known)):
        raise Invalid(f"{where}: {unknown[0]!r} is not known, expected one of {', '.join(known)}")
    name = table.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Invalid(f"{where}: name is {name!r}, expected a text that a message can begin with")
    where = f"{where} ({name})"
    standing = table.get("standing_grants", False)
    if not isinstance(standing, bool):
        raise Invalid(f"{where}: standing_grants is {standing!r}, expected true or false")
    told = Rule(
        name=name,
        agents=_texts(table, "agents", where) or (),
        environments=_texts(table, "environments", where) or (),
        tools=_texts(table, "tools", where) or (),
        risks=_texts(table, "risks", where, RISKS) or (),
        arguments=_arguments(table, where),
        approved_by=_texts(table, "approved_by", where, DECIDERS),
        reviewers=_texts(table, "reviewers", where),
        standing_grants=standing,
        only_tools=_texts(table, "only_tools", where, may_be_empty=True),
        limits=tuple(Limit(key, _limit(table[key], key, where)) for key in LIMITS if key in table),
    )
    _demands_something(told, where)
    return told


def _demands_something(rule: Rule, where: str) -> None:
    about_calls = rule.approved_by is not None or rule.reviewers is not None or rule.only_tools is not None
    if not about_calls and not rule.limits:
        wanted = [key for key in (*DEMANDS, *LIMITS) if key != "standing_grants"]
        raise Invalid(f"{where}: it demands nothing, expected one of {', '.join(wanted)}")
    if rule.limits and (rule.tools or rule.risks or rule.arguments):
        raise Invalid(f"{where}: a limit is of whole runs, so it goes into a rule without tools, risks and arguments")


def _arguments(table: dict[str, Any], where: str) -> tuple[Argument, ...]:
    value = table.get(ARGUMENTS, {})
    if not isinstance(value, dict) or (ARGUMENTS in table and not value):
        raise Invalid(f"{where}: {ARGUMENTS} is {value!r}, expected a table of paths, each with a list of texts")
    if wrong := [path for path in value if path and not path.startswith("/")]:
        raise Invalid(f"{where}: {ARGUMENTS} has {wrong[0]!r}, expected a JSON Pointer such as '/{wrong[0]}'")
    of = f"{where}: {ARGUMENTS}"
    return tuple(Argument(path, _texts(value, path, of) or ()) for path in value)


def _texts(
    table: dict[str, Any], key: str, where: str, known: tuple[str, ...] | None = None, *, may_be_empty: bool = False
) -> tuple[str, ...] | None:
    if key not in table:
        return None
    value = table[key]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value) or not (value or may_be_empty):
        raise Invalid(f"{where}: {key} is {value!r}, expected a list of texts")
    if known is not None and (strange := [text for text in value if text not in known]):
        raise Invalid(f"{where}: {key} holds {strange[0]!r}, expected {', '.join(known)}")
    return tuple(value)


def _limit(value: Any, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise Invalid(f"{where}: {key} is {value!r}, expected a number of 0 or more")
    return float(value)
