"""`runs`, `calls`, `near-misses`, `approvals`, `configurations`: the derived tables, filtered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import NARROWING, filter_options, opened
from aftertrace.cli.output import output_options

_EVERY_FILTER: Final = (
    "agent",
    "tool",
    "outcome",
    "decided_by",
    "reviewer",
    *NARROWING,
    "tenant",
    "environment",
    "time",
    "as_of",
)


@dataclass(frozen=True, slots=True)
class Listing:
    """A derived table as a command."""

    name: str
    """Name of the command."""
    table: str
    """Name of the derived table."""
    short: str
    """What `aftertrace --help` says of it."""
    help: str
    shown: tuple[str, ...]
    """Columns of `--format table`; the other formats hold all."""
    filters: Sequence[str] = _EVERY_FILTER


_OF_A_RUN: Final = (*_EVERY_FILTER, "run")

_CALL_COLUMNS: Final = (
    "first_ns",
    "agent_name",
    "tool_name",
    "outcome",
    "allowed_by",
    "decided_by",
    "basis",
    "reviewer",
    "reason",
    "run_id",
)

_TABLES: Final = (
    Listing(
        "runs",
        "runs",
        "List runs.",
        "List runs: one execution of an agent for one trigger, over however many traces.",
        ("started_at", "agent_name", "model", "state", "calls", "near_misses", "approvals", "prompt", "run_id"),
    ),
    Listing(
        "calls",
        "calls",
        "List tool calls and their outcomes.",
        "List tool calls and what became of each.",
        _CALL_COLUMNS,
        _OF_A_RUN,
    ),
    Listing(
        "near-misses",
        "near_misses",
        "List calls one control away from happening.",
        "List near misses: calls that were refused, edited, left to expire, cancelled by a person, or considered and "
        "dropped. One control away from happening.",
        _CALL_COLUMNS,
        _OF_A_RUN,
    ),
    Listing(
        "approvals",
        "approvals",
        "List approvals: asked, answered, by whom.",
        "List approvals: who was asked, for how long, and what they answered.",
        ("first_ns", "agent_name", "tool_name", "decision", "decided_by", "reviewer", "wait_ns", "reason", "run_id"),
        _OF_A_RUN,
    ),
    Listing(
        "decisions",
        "decisions",
        "List every verdict on every call.",
        "List decisions: every verdict that a policy, guardrail, hook or reviewer gave on a call, in order, and which "
        "one counted.",
        ("first_ns", "tool_name", "ordinal", "decision", "is_final", "decided_by", "reviewer", "reason", "run_id"),
        ("tool", "decided_by", "reviewer", *NARROWING, "tenant", "environment", "time", "as_of", "run"),
    ),
    Listing(
        "losses",
        "losses",
        "List what was lost on the way, by source and day.",
        "List losses: what was refused, dropped or sampled away by senders, damaged, or never came though others name "
        "it. Each count says whether it is exact, at least or at most so much, or an estimate.",
        ("day", "source", "kind", "count", "unit", "certainty", "signal", "detail"),
        ("tenant", "time", "as_of"),
    ),
    Listing(
        "configurations",
        "configurations",
        "List what runs were made of.",
        "List configurations: every version of an agent (its own, model, system prompt, tools and policy), with its "
        "first and last run.",
        (
            "first_at",
            "last_at",
            "agent_name",
            "version",
            "agent_version",
            "model",
            "model_served",
            "runs",
            "configuration_id",
        ),
        ("agent", "tenant", "environment"),
    ),
)


def _command(listing: Listing) -> click.Command:
    @click.command(listing.name, help=listing.help, short_help=listing.short)
    @filter_options(listing.filters)
    @output_options
    @settings.data_option
    def command(data: Path, form: formats.Format, out: Path | None, limit: int | None, **options: Any) -> None:
        analysis, wanted = opened(settings.readable(data), options)
        frame = analysis.select(listing.table, wanted)
        formats.write(frame if limit is None else frame.head(limit), form, shown=listing.shown, out=out)

    return command


LISTINGS: Final = tuple(_command(listing) for listing in _TABLES)
"""One command per derived table."""
runs, calls, near_misses, approvals, decisions, losses, configurations = LISTINGS
