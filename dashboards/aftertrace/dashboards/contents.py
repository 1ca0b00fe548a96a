"""What is shown to those who see figures, names and outcomes, and no contents."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any, Final, TypeVar, cast

import polars as pl

from aftertrace.analyzer import Invalid
from aftertrace.analyzer.inventory.checks import Checked
from aftertrace.analyzer.reports.agent_coverage import AgentCoverage
from aftertrace.analyzer.reports.failure_report import Told
from aftertrace.analyzer.reports.near_miss_figures import Figures

T = TypeVar("T")
COLUMNS: Final = frozenset(
    (
        *("arguments", "executed_arguments", "approved_arguments", "edits", "deviations", "reason", "shown", "prompt"),
        *("template", "added", "removed", "what", "object", "object_id", "object_url", "detail"),
        *("receipt_id", "idempotency_key"),
    )
)
"""Columns, of all tables, that hold texts and values which agents, tools and people gave."""


def without(answer: T) -> T:
    """An answer without contents: their columns are empty.

    Raises:
        Invalid: it is not one of those that are figures, names and outcomes beside them.
    """
    told: Any = answer
    return cast("T", _without(told))


def _without(told: Any) -> Any:
    match told:
        case None | str() | int() | float() | date():
            return told
        case pl.DataFrame():
            return told.with_columns(
                pl.lit(None, told.schema[name]).alias(name) for name in told.columns if name in COLUMNS
            )
        case tuple() | list():
            return type(told)(map(_without, told))
        case dict():
            return {name: None if name in COLUMNS else _without(each) for name, each in told.items()}
        case Figures():
            return replace(told, near=_without(told.near), targets=told.targets.clear(), told=_failed(told.told))
        case Checked():
            return replace(told, agents=_without(told.agents), findings=_without(told.findings))
        case AgentCoverage():
            return told
        case _:
            raise Invalid("contents: not for a viewer, expected another role; ask whoever gives them out")


def _failed(told: Told) -> Told:
    return Told(*(_without(getattr(told, each.name)) for each in fields(Told)))
