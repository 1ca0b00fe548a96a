"""Of `docs/REFERENCE.md` the parts on what people declare: the rules of `check`, and the inventory."""

from __future__ import annotations

from collections.abc import Iterator

from aftertrace.analyzer.drafting.trial import HITS, KINDS_OF_HITS
from aftertrace.analyzer.expectations.checks_json import MEMBERS
from aftertrace.analyzer.expectations.rules import DEMANDS, LIMITS, SELECTORS
from aftertrace.analyzer.inventory.checks import AGENTS
from aftertrace.analyzer.inventory.checks_json import MEMBERS as INVENTORY_MEMBERS
from aftertrace.analyzer.inventory.declared import APPROVAL, LISTS, TEXTS, TOOL, WHOSE
from aftertrace.analyzer.inventory.findings import FINDINGS, KINDS


def expectations() -> Iterator[str]:
    """The keys of a file of rules."""
    yield "## Expectations\n"
    yield (
        "The file of `aftertrace check` is TOML, and nothing else is read: one `[[rule]]` table for each rule, with a "
        "`name`, what it is about and what it demands. Names of agents, environments, tools and reviewers may hold `*` "
        "and `?`.\n"
    )
    yield "| key | value | |\n|---|---|---|"
    kinds = {**dict.fromkeys((*SELECTORS, *DEMANDS), "list of texts"), "standing_grants": "boolean"}
    for key, brief in (*SELECTORS.items(), *DEMANDS.items(), *((key, brief) for key, (_, _, brief) in LIMITS.items())):
        yield "| " + " | ".join(cell(each) for each in (f"`{key}`", kinds.get(key, "number"), brief)) + " |"
    yield "\nWhat `aftertrace check --webhook URL` posts is one JSON object:\n\n| member | |\n|---|---|"
    for member, brief in MEMBERS.items():
        yield f"| `{member}` | {cell(brief)} |"
    yield "\n`aftertrace control from --format json` tells what a drafted rule hits, in these columns:\n"
    yield f"{', '.join(f'`{name}`' for name in HITS)}. `hit` is one of these:\n\n| hit | |\n|---|---|"
    for hit, brief in KINDS_OF_HITS.items():
        yield f"| `{hit}` | {cell(brief)} |"
    yield ""


def inventory() -> Iterator[str]:
    """The keys of an inventory, and what is told by it."""
    yield (
        "## Inventory\n\nThe declared inventory is TOML: an `[[agent]]` table for each agent, with "
        "`[[agent.approval]]` tables below it, and a `[[tool]]` table for each tool. Names may hold `*` and `?`; `\\*` "
        "is the character. `aftertrace inventory init` writes one from what was seen.\n"
    )
    for title, of in (
        ("[[agent]]", ((WHOSE, "text"), (TEXTS, "text"), (LISTS, "list of texts"))),
        ("[[agent.approval]]", ((APPROVAL, "list of texts"),)),
        ("[[tool]]", ((TOOL, "text"),)),
    ):
        yield f"| `{title}` | value | |\n|---|---|---|"
        for keys, kind in of:
            for key, brief in keys.items():
                told = "boolean" if key == "standing_grants" else kind
                yield "| " + " | ".join(cell(each) for each in (f"`{key}`", told, brief)) + " |"
        yield ""
    yield "What `aftertrace agents` tells: one row per agent.\n\n| column | type | |\n|---|---|---|"
    for name, (column, text) in AGENTS.items():
        yield f"| `{name}` | {column} | {cell(text)} |"
    yield (
        "\nWhat `aftertrace inventory check` finds, in the columns "
        f"{', '.join(f'`{name}`' for name in FINDINGS)}: `subject` is the tool, model, prompt, system or class; `runs` "
        "and `calls` count those in which it is so, and `run_id` is the latest.\n\n| kind | verdict | |\n|---|---|---|"
    )
    for kind, (verdict, brief) in KINDS.items():
        yield f"| `{kind}` | {verdict} | {cell(brief)} |"
    yield "\nWhat `aftertrace inventory check --webhook URL` posts is one JSON object:\n\n| member | |\n|---|---|"
    for member, brief in INVENTORY_MEMBERS.items():
        yield f"| `{member}` | {cell(brief)} |"
    yield ""


def cell(text: str) -> str:
    """A text as one cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())
