"""The declared inventory: which agents there should be, who answers for each, and what it may use, as people write."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from aftertrace.analyzer.expectations.patterns import fits
from aftertrace.analyzer.expectations.rules import DEMANDS, RISKS, SELECTORS, Rule, rule
from aftertrace.store.errors import Invalid

WHOSE: Final = {
    "name": "The agent, as its telemetry names it. Left out: one without a name.",
    "service": "Only in this service.",
    "environment": "Only in this deployment environment.",
    "tenant": "Only of this tenant.",
    "source": "Only as this source sends it, which is who it authenticated as.",
}
"""What tells which agent an entry is about, by key; all that are given must hold, and the first entry that fits counts.
Names may hold `*` and `?`."""
TEXTS: Final = {
    "owner": "Who answers for it. An agent without an owner is told.",
    "identity": "What it is in the systems that it works on: an account, an app. Not compared with anything.",
    "prompt_source": "Where its prompt is kept. Never opened.",
}
LISTS: Final = {
    "models": "Models that it may ask, and that may answer.",
    "prompt_digests": (
        "Digests of its system prompts, as `aftertrace configurations` has them: `system_prompt_digest`, or "
        "`template_digest`. Each stands for all prompts that differ from it only in what differs from run to run."
    ),
    "tools": "Tools that it may use.",
    "systems": "Systems of record that it may change.",
    "risks": f"Risk classes of the tools that it may use: {', '.join(RISKS)}.",
}
"""What may be, by key. Left out: nothing is declared about it, and anything goes. `[]`: nothing may."""
APPROVAL: Final = {
    **{key: SELECTORS[key] for key in ("tools", "risks")},
    **{key: DEMANDS[key] for key in ("approved_by", "reviewers", "standing_grants")},
}
"""The keys of `[[agent.approval]]`: calls of its that need an approval, and whose. As in the rules of `check`."""
TOOL: Final = {
    "name": "The tool, as telemetry names it. It may hold `*` and `?`; the first entry that fits counts.",
    "risk": f"Its risk class: {', '.join(RISKS)}. It goes before what the sender says, and before any guess.",
}
"""The keys of `[[tool]]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAgent:
    """An agent that there should be. None is not declared."""

    name: str | None = None
    service: str | None = None
    environment: str | None = None
    tenant: str | None = None
    source: str | None = None
    owner: str | None = None
    identity: str | None = None
    prompt_source: str | None = None
    models: tuple[str, ...] | None = None
    prompt_digests: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    systems: tuple[str, ...] | None = None
    risks: tuple[str, ...] | None = None
    approvals: tuple[Rule, ...] = ()

    def is_about(self, role: Mapping[str, str | None]) -> bool:
        """Whether this is the entry of an agent that was seen: columns of `sightings.ROLE`."""
        if (self.name is None) != (role["agent_name"] is None):
            return False
        wanted = {
            "agent_name": self.name,
            "service_name": self.service,
            "environment": self.environment,
            "tenant": self.tenant,
            "source": self.source,
        }
        return all(pattern is None or fits(role[column], (pattern,)) for column, pattern in wanted.items())


@dataclass(frozen=True, slots=True)
class DeclaredTool:
    """A tool, and what its calls can do."""

    name: str
    risk: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the file declares, in its order."""

    agents: tuple[DeclaredAgent, ...] = ()
    tools: tuple[DeclaredTool, ...] = ()

    def of_tenants(self, tenants: Collection[str]) -> Inventory:
        """Without the agents that are declared for other tenants."""
        return replace(
            self,
            agents=tuple(
                each for each in self.agents if each.tenant is None or any(fits(of, (each.tenant,)) for of in tenants)
            ),
        )


NOTHING: Final = Inventory()
"""An inventory that declares nothing."""


def read(file: Path) -> Inventory:
    """The inventory of a file. Raises `Invalid`, as `parsed` does, or where it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"read {file}: {error}; `aftertrace inventory init` writes one from what was seen") from error
    return parsed(text, str(file))


def parsed(text: str, name: str) -> Inventory:
    """The inventory of a TOML text; `name` is what errors call it.

    Raises:
        Invalid: it is no TOML, a key or a value is not known, or two entries are about the same.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{name}: not TOML: {error}") from error
    if unknown := sorted(set(document) - {"agent", "tool"}):
        raise Invalid(f"{name}: {unknown[0]!r} is not known, expected [[agent]] and [[tool]] tables only")
    agents = tuple(
        _agent(table, f"{name}: agent {nth}") for nth, table in enumerate(_tables(document, "agent", name), start=1)
    )
    tools = tuple(
        _tool(table, f"{name}: tool {nth}") for nth, table in enumerate(_tables(document, "tool", name), start=1)
    )
    whose = [(each.name, each.service, each.environment, each.tenant, each.source) for each in agents]
    _once(whose, f"{name}: agent", "the same agent")
    _once([tool.name for tool in tools], f"{name}: tool", "the same tool")
    return Inventory(agents, tools)


def _tables(document: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    tables = document.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise Invalid(f"{where}: {key!r} is {tables!r:.80}, expected [[{key}]] tables")
    return tables


def _agent(table: dict[str, Any], where: str) -> DeclaredAgent:
    _known(table, [*WHOSE, *TEXTS, *LISTS, "approval"], where)
    told = {key: _text(table[key], key, where) for key in (*WHOSE, *TEXTS) if key in table}
    if not any(key in told for key in WHOSE):
        raise Invalid(f"{where}: it is about every agent without a name, expected one of {', '.join(WHOSE)}")
    where = f"{where} ({told.get('name', 'without a name')})"
    # An owner, identity or source that is left empty is one that nobody wrote yet.
    told = {key: value for key, value in told.items() if value or key in WHOSE}
    listed = {key: _texts(table[key], key, where) for key in LISTS if key in table}
    if strange := [risk for risk in listed.get("risks", ()) if risk not in RISKS]:
        raise Invalid(f"{where}: risks holds {strange[0]!r}, expected {', '.join(RISKS)}")
    approvals = tuple(
        _approval(each, f"{where}: approval {nth}") for nth, each in enumerate(_tables(table, "approval", where), 1)
    )
    return DeclaredAgent(**told, **listed, approvals=approvals)  # type: ignore[arg-type]  # texts and lists, by their keys


def _approval(table: dict[str, Any], where: str) -> Rule:
    _known(table, list(APPROVAL), where)
    return rule({**table, "name": "approval"}, where)


def _tool(table: dict[str, Any], where: str) -> DeclaredTool:
    _known(table, list(TOOL), where)
    if missing := [key for key in TOOL if key not in table]:
        raise Invalid(f"{where}: {missing[0]} is not given, expected {' and '.join(TOOL)}")
    name, risk = (_text(table[key], key, where) for key in TOOL)
    if risk not in RISKS:
        raise Invalid(f"{where} ({name}): risk is {risk!r}, expected one of {', '.join(RISKS)}")
    return DeclaredTool(name, risk)


def _known(table: dict[str, Any], known: list[str], where: str) -> None:
    if unknown := sorted(set(table) - set(known)):
        raise Invalid(f"{where}: {unknown[0]!r} is not known, expected one of {', '.join(known)}")


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{where}: {key} is {value!r:.80}, expected a text")
    return value


def _texts(value: Any, key: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise Invalid(f"{where}: {key} is {value!r:.80}, expected a list of texts")
    return tuple(value)


def _once(entries: list[Any], where: str, what: str) -> None:
    first: dict[Any, int] = {}
    for nth, entry in enumerate(entries, start=1):
        if entry in first:
            raise Invalid(f"{where} {nth}: it is about {what} as {first[entry]}, expected one entry for each")
        first[entry] = nth
