"""`agents` and `inventory`: the agents that were seen, joined with those that somebody declared."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import filter_options, opened
from aftertrace.cli.inventory_page import page
from aftertrace.cli.output import output_options, say, text_or_rows
from aftertrace.cli.webhook import named, webhook_options
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

_Form: TypeAlias = Literal["text"] | formats.Format
FILE_NAME: Final = "inventory.toml"
EXIT_BROKEN: Final = 1
_FILTERS: Final = ("agent", "tenant", "environment", "time", "as_of")
_SEEN: Final = (
    "agent_name",
    "service_name",
    "environment",
    "runs",
    "calls",
    "near_misses",
    "last_at",
    "models",
    "tools",
)
_JOINED: Final = (
    "state", "agent_name", "service_name", "environment", "owner", "runs", "calls", "near_misses", "last_at", "broken",
    "unknown", "models", "tools",
)  # fmt: skip
_OF_A_RUN: Final = (
    "started_at", "agent_name", "depth", "how", "parent_name", "delegated_by_tool", "calls", "model", "run_id",
)  # fmt: skip
_FINDINGS: Final = ("verdict", "kind", "agent_name", "environment", "owner", "found", "expected", "runs", "run_id")

inventory_option = click.option(
    "--inventory",
    "declared",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The declared inventory.  [default: inventory.file of aftertrace.toml, else none]",
)


@click.command("agents", short_help="List the agents seen, and who declared them.")
@inventory_option
@filter_options((*_FILTERS, "run"))
@output_options
@settings.data_option
def agents(
    declared: Path | None, data: Path, form: formats.Format, out: Path | None, limit: int | None, **options: Any
) -> None:
    """List agents: each one that was seen, over all its runs, joined with the declared inventory.

    With an inventory, an agent is registered, unregistered, or silent: declared, and not seen for 30 days, or since the
    time asked for. `broken` and `unknown` count what `aftertrace inventory check` tells in full. With --run, the agents
    of that run: which one set which to work, and by which call.
    """
    from aftertrace.analyzer.inventory import checks as inventory_checks

    found = settings.inventory(declared)
    analysis, wanted = opened(settings.readable(data), options, found)
    if wanted.run_id is not None:
        formats.write(_some(analysis.select("agents", wanted), limit), form, shown=_OF_A_RUN, out=out)
        return
    checked = inventory_checks.of(analysis, found, wanted)
    shown = _SEEN if found is None else _JOINED
    formats.write(_some(checked.agents, limit), form, shown=shown, out=out)
    if found is None:
        click.echo(
            "note: no inventory is declared; `aftertrace inventory init` writes one from what was seen", err=True
        )


@click.group("inventory")
def inventory() -> None:
    """Declare which agents there should be, and find what is off that."""


@inventory.command("init")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), required=False)
@click.option("--force", is_flag=True, help="Write FILE anew if it is there; what people wrote into it is lost.")
@filter_options(_FILTERS)
@settings.data_option
def init(file: Path | None, force: bool, data: Path, **options: Any) -> None:
    """Write an inventory from what was seen: each agent with its models, prompts, tools and systems.

    FILE is inventory.file of aftertrace.toml, else inventory.toml; - is standard output, such as to add one agent
    (--agent NAME) to a file that is there. Tools of which every call that ran was approved by somebody need that
    approval from then on. Read it before it is used: what was seen is not what should be.
    """
    from aftertrace.analyzer.inventory import draft as inventory_draft

    target = file or Path(settings.current().inventory.file or FILE_NAME)
    is_output = str(target) == "-"
    if not is_output and not force and target.exists():
        raise Invalid(
            f"write {target}: it is there, expected a new file; give another, - for standard output, or --force"
        )
    analysis, wanted = opened(settings.readable(data), options)
    text = inventory_draft.of(analysis, wanted)
    if is_output:
        click.echo(text, nl=False)
        return
    with target.open("w" if force else "x", encoding="utf-8", newline="\n") as written:
        written.write(text)
    click.echo(f"wrote {target}; read it, and say who answers for each agent", err=True)


@inventory.command("check")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--strict", is_flag=True, help="Fail also where it cannot be told whether a declaration holds.")
@webhook_options
@filter_options(_FILTERS)
@text_or_rows
@settings.data_option
def check(
    file: Path | None, strict: bool, data: Path, form: _Form, out: Path | None, limit: int | None, **options: Any
) -> int:
    """Hold the inventory of FILE against what was seen: agents that nobody declared, and what is off a declaration.

    FILE is TOML, and its keys are in docs/REFERENCE.md; without it, inventory.file of aftertrace.toml. Exits with 1 if
    something is broken. What the telemetry does not tell is unknown, which fails with --strict; what is declared for
    nothing is idle, and never fails.

    With --webhook the result is posted, too, as by `aftertrace check`, also where nothing is broken. Where it is not
    taken, the exit code is 75 if another try may help, and 2 if it will not.
    """
    from aftertrace.analyzer.inventory import checks as inventory_checks
    from aftertrace.analyzer.inventory import checks_json as inventory_json

    hook = named(options)
    found = settings.inventory(file)
    if found is None:
        raise Invalid("inventory check: no inventory is given; name its FILE, or set inventory.file in aftertrace.toml")
    analysis, wanted = opened(settings.readable(data), options, found)
    checked = inventory_checks.of(analysis, found, wanted)
    if form == "text":
        say(page(checked, found), out)
    else:
        formats.write(_some(checked.findings, limit), form, shown=_FINDINGS, out=out)
    if hook is not None:
        now_ns = time.time_ns()
        hook.post(inventory_json.written(checked, now_ns).encode(), now_ns // 10**9)
    return EXIT_BROKEN if checked.count("broken") or (strict and checked.count("unknown")) else 0


def _some(rows: pl.DataFrame, limit: int | None) -> pl.DataFrame:
    return rows if limit is None else rows.head(limit)
