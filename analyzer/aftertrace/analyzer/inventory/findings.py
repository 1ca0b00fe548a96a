"""What an agent did that its entry in the inventory does not declare: a finding per tool, model, prompt and system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.expectations.patterns import fits
from aftertrace.analyzer.inventory.declared import DeclaredAgent
from aftertrace.analyzer.inventory.sums import added

KINDS: Final = {
    "unregistered": ("broken", "An agent ran that no entry is about."),
    "undeclared_tool": ("broken", "Calls ran of a tool that is not declared; unknown: whether they ran is not told."),
    "undeclared_model": ("broken", "A model was asked, or answered, that is not declared; unknown: none is told."),
    "undeclared_prompt": ("broken", "A system prompt is off the declared ones; unknown: it is not told."),
    "undeclared_system": ("broken", "It changed a system that is not declared; unknown: results alone say so."),
    "undeclared_risk": ("broken", "Calls ran of a risk class that is not declared; unknown: the class is a guess."),
    "unapproved": ("broken", "Calls ran without the approval that is declared; unknown: what let them is not told."),
    "no_owner": ("unknown", "The entry of an agent names nobody who answers for it."),
    "silent": ("idle", "A declared agent that is not seen, with since when."),
    "unused_tool": ("idle", "A declared tool of which no call ran."),
    "unused_model": ("idle", "A declared model that was not used."),
    "unused_system": ("idle", "A declared system that was not changed."),
}  # fmt: skip
"""What can be found: the verdict, and what it means."""
FINDINGS: Final = pl.Schema(
    [
        ("verdict", pl.String()),
        ("kind", pl.String()),
        *((name, pl.String()) for name in ("agent_name", *(name for name in ROLE if name != "agent_name"))),
        ("owner", pl.String()),
        ("entry", pl.Int64()),
        ("subject", pl.String()),
        ("found", pl.String()),
        ("expected", pl.String()),
        ("runs", pl.Int64()),
        ("calls", pl.Int64()),
        ("run_id", pl.String()),
        ("first_ns", pl.Int64()),
        ("last_ns", pl.Int64()),
    ]
)
"""One row per agent and thing found: `subject` is the tool, model, prompt, system or risk class; `runs` and `calls` are
those in which it is so, null where there are none; `run_id` is the latest of them."""
_NAMED: Final = 5
"""As many names are told of what was expected."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found about an agent: columns of `FINDINGS`."""

    verdict: str
    kind: str
    subject: str | None
    found: str
    expected: str
    runs: int | None = None
    calls: int | None = None
    run_id: str | None = None
    first_ns: int | None = None
    last_ns: int | None = None

    def row(self, whose: Mapping[str, Any], entry: int | None, owner: str | None) -> dict[str, Any]:
        """The finding as a row about an agent: columns of `sightings.ROLE`."""
        return {**{name: whose[name] for name in ROLE}, "entry": entry, "owner": owner, **asdict(self)}


def of_agent(
    declared: DeclaredAgent, used: Mapping[str, pl.DataFrame], prompts: pl.DataFrame | None
) -> Iterator[Finding]:
    """What one agent did that its entry does not declare.

    Args:
        declared: the entry.
        used: what it used, by kind of `sums.USES`, without `ROLE`.
        prompts: what each of its runs told of prompts (`configurations.versioned`); None where none is declared.
    """
    if declared.tools is not None:
        yield from _tools(declared.tools, used["tools"])
    if declared.models is not None:
        yield from _models(declared.models, used)
    if declared.prompt_digests is not None and prompts is not None:
        yield from _prompts(declared.prompt_digests, used["prompts"], prompts)
    if declared.systems is not None:
        yield from _systems(declared.systems, used["systems"])
    if declared.risks is not None:
        yield from _risks(declared.risks, used["risks"])
    if declared.approvals:
        yield from _approvals(used["approvals"])


KINDS_USED: Final = {
    "tools": "tools",
    "asked": "models",
    "served": "models",
    "untold_models": "models",
    "prompts": "prompt_digests",
    "systems": "systems",
    "risks": "risks",
    "approvals": "approvals",
}
"""By kind of `sums.USES`, the declaration that it is held against."""


def _tools(declared: tuple[str, ...], used: pl.DataFrame) -> Iterator[Finding]:
    """What was refused is no use of a tool; of what is unresolved that is not told."""
    for verdict, is_ran, how in (("broken", True, "ran"), ("unknown", False, "may have run")):
        for group in _groups(used.filter(pl.col("is_ran") == is_ran), ["tool_name"]):
            name = group["tool_name"]
            if name is None:
                yield _told("unknown", "undeclared_tool", None, f"a tool whose name is not told {how}", declared, group)
            elif not fits(name, declared):
                yield _told(verdict, "undeclared_tool", name, f"tool {name} {how}", declared, group)


def _models(declared: tuple[str, ...], used: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    for column, how in (("asked", "was asked"), ("served", "answered")):
        for group in _groups(used[column], [column], of_calls=False):
            if not fits(group[column], declared):
                yield _told(
                    "broken", "undeclared_model", group[column], f"model {group[column]} {how}", declared, group
                )
    for group in _groups(used["untold_models"], [], of_calls=False):
        yield _told("unknown", "undeclared_model", None, "the model is not told", declared, group)


def _prompts(declared: tuple[str, ...], used: pl.DataFrame, prompts: pl.DataFrame) -> Iterator[Finding]:
    """A digest stands for its prompt, and so for the template of that: two days' prompts differ in their dates."""
    tagged = pl.concat_str(pl.lit("sha256:"), "prompt")
    templates = prompts.filter(pl.col("system_prompt_digest").is_in(declared))["prompt"].drop_nulls().unique()
    off = used.with_columns(template_digest=tagged).filter(
        ~pl.any_horizontal(
            pl.col("system_prompt_digest").is_in(declared).fill_null(value=False),
            pl.col("template_digest").is_in(declared).fill_null(value=False),
            pl.col("prompt").is_in(templates.implode()).fill_null(value=False),
        )
    )
    for group in _groups(added([off], ["template_digest"]), ["template_digest"], of_calls=False):
        digest = group["template_digest"]
        if digest is None:
            # Also where digests alone are sent, and differ from run to run.
            found = "the prompt is not told, or too little of it"
            yield Finding("unknown", "undeclared_prompt", None, found, "a declared one", *_counted(group))
        else:
            found = f"prompt {digest[:19]}… was in force"
            yield Finding("broken", "undeclared_prompt", digest, found, "a declared one", *_counted(group))


def _systems(declared: tuple[str, ...], used: pl.DataFrame) -> Iterator[Finding]:
    for group in _groups(used, ["system", "basis"], of_calls=False):
        if group["system"] is None:
            yield _told("unknown", "undeclared_system", None, "a system that is not named was changed", declared, group)
        elif not fits(group["system"], declared):
            is_stated = group["basis"] == "explicit"
            found = f"system {group['system']} was changed" + ("" if is_stated else ", by what calls returned alone")
            verdict = "broken" if is_stated else "unknown"
            yield _told(verdict, "undeclared_system", group["system"], found, declared, group)


def _risks(declared: tuple[str, ...], used: pl.DataFrame) -> Iterator[Finding]:
    for group in _groups(used.filter(~pl.col("risk").is_in(declared)), ["tool_name", "risk", "risk_basis"]):
        is_guess = group["risk_basis"] == "guess"
        found = f"tool {group['tool_name']} of class {group['risk']}{', by a guess,' if is_guess else ''} ran"
        yield _told("unknown" if is_guess else "broken", "undeclared_risk", group["risk"], found, declared, group)


def _approvals(used: pl.DataFrame) -> Iterator[Finding]:
    for group in _groups(used, ["nth", "verdict", "tool_name", "found", "expected"]):
        found = f"tool {group['tool_name']}: {group['found']}"
        yield Finding(group["verdict"], "unapproved", group["tool_name"], found, group["expected"], *_counted(group))


def _groups(used: pl.DataFrame, by: list[str], *, of_calls: bool = True) -> list[dict[str, Any]]:
    """The groups in the order of their names, with `calls`, where they are of calls."""
    calls = pl.col("rows") if of_calls else pl.lit(None, dtype=pl.Int64)
    named = used.with_columns(calls=calls)
    return (named.sort(by, nulls_last=True) if by else named).rows(named=True)


def _counted(group: Mapping[str, Any]) -> tuple[int, int | None, str, int | None, int | None]:
    return group["runs"], group["calls"], group["latest"], group["since_ns"], group["until_ns"]


def _told(
    verdict: str, kind: str, subject: str | None, found: str, declared: Sequence[str], group: Mapping[str, Any]
) -> Finding:
    return Finding(verdict, kind, subject, found, _expected(declared), *_counted(group))


def _expected(declared: Sequence[str]) -> str:
    """What is declared, in words."""
    if not declared:
        return "none"
    more = f" or {len(declared) - _NAMED:,} more" if len(declared) > _NAMED else ""
    return ("one of " if len(declared) > 1 else "") + ", ".join(declared[:_NAMED]) + more
