"""What the fields of a filter let through that no column answers: of whom, for whom, of what kind, and on what.

They are answered when they are asked, from the derived tables and the records below them, and nothing is stored for
them. Which calls are meant holds for all that is told of a call; for runs and agents, which runs have such a call.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.finding.customers import runs_for
from aftertrace.analyzer.finding.references import sought
from aftertrace.analyzer.identity.identity import LEVELS_ABOVE
from aftertrace.analyzer.reading.select import Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aftertrace.analyzer.analysis import Analysis

_ANY: Final = pl.lit(value=True)
_OF_CALL: Final = ("run_id", "call_key")
_ARGUMENTS: Final = ("arguments", "executed_arguments")
_OBJECTS: Final = ("object_id", "object_url", "receipt_id", "idempotency_key")
HOLDERS: Final = (
    "table", "table_name", "tableName", "collection", "collection_name", "namespace", "schema", "database",
    "database_name", "dataset", "keyspace",
)  # fmt: skip
"""Arguments that name what holds the objects of a call."""
_ON_SPANS: Final = ("db.namespace", "db.collection.name", "k8s.namespace.name")
"""Standard attributes that do."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a field lets through."""

    run_ids: pl.Series
    call_keys: pl.Series | None = None
    """None: calls are let through with their runs."""
    effects: pl.Series | None = None
    """Evidence of effects that are let through though their call is not known."""

    def lets_through(self, columns: Collection[str]) -> pl.Expr:
        """Whether a row of a derived table with these columns is let through."""
        if self.call_keys is None or "call_key" not in columns:
            is_of_run = pl.col("run_id").is_in(self.run_ids.implode()).fill_null(value=False)
            return is_of_run if "run_id" in columns else pl.lit(value=True)
        meant = pl.col("call_key").is_in(self.call_keys.implode()).fill_null(value=False)
        if self.effects is not None and "object_id" in columns:
            meant = meant | pl.col("evidence").is_in(self.effects.implode())
        return meant


def meant(analysis: Analysis, wanted: Filter) -> tuple[Meant, ...]:
    """What the fields without a column let through, one for each that is set.

    Raises:
        Invalid: a target is too short.
    """
    found = []
    if wanted.principal is not None:
        found.append(Meant(_some(analysis, "runs", ("run_id",), pl.col("user_id") == wanted.principal)["run_id"]))
    if wanted.model is not None:
        found.append(_of_model(analysis, wanted.model))
    if wanted.state is not None:
        found.append(Meant(_some(analysis, "runs", ("run_id",), pl.col("state") == wanted.state)["run_id"]))
    if wanted.customer is not None:
        found.append(Meant(runs_for(analysis, wanted.customer)))
    if wanted.risk is not None:
        of_class = analysis.scan("calls", (*_OF_CALL, "risk")).filter(pl.col("risk") == wanted.risk)
        found.append(_of_calls(analysis.collected(of_class)[0]))
    if wanted.policy is not None:
        found.append(_of_policy(analysis, wanted.policy))
    if wanted.target is not None:
        looked_for = sought(wanted.target)
        found.append(_holding(analysis, looked_for.literals, looked_for.pattern, looked_for.pattern))
    if wanted.namespace is not None:
        found.append(_of_namespace(analysis, wanted.namespace))
    return tuple(found)


def _some(analysis: Analysis, table: str, columns: Sequence[str], only: pl.Expr) -> pl.DataFrame:
    return analysis.collected(analysis.scan(table, columns, only=only))[0]


def _of_calls(calls: pl.DataFrame) -> Meant:
    return Meant(calls["run_id"].unique(), calls["call_key"])


def _of_model(analysis: Analysis, name: str) -> Meant:
    """Calls that this model proposed; runs that asked it, also without a call."""
    is_one = pl.col("model") == name
    asked = is_one | pl.col("model").str.split(", ").list.contains(name)
    calls = _some(analysis, "calls", ("call_key",), is_one)
    return Meant(_some(analysis, "runs", ("run_id",), asked)["run_id"], calls["call_key"])


def _of_policy(analysis: Analysis, name: str) -> Meant:
    """Calls on which it gave a verdict; runs in which it was asked or in force."""
    is_named = pl.col("policies").list.eval((pl.element() == name) | pl.element().str.starts_with(f"{name} "))
    runs = _some(analysis, "runs", ("run_id",), is_named.list.any())
    is_asked = (pl.col("event") == "policy.evaluated") & pl.any_horizontal(
        pl.col("attributes").str.json_path_match("$.policy_id") == name,
        pl.col("decider") == name,
        pl.col("rule") == name,
    )
    asked = analysis.told.having(events=is_asked).call_events.filter(is_asked)
    calls = _some(analysis, "calls", _OF_CALL, pl.col("call_key").is_in(asked["call_key"].implode()))
    return Meant(pl.concat([runs["run_id"], calls["run_id"]]).unique(), calls["call_key"])


def _of_namespace(analysis: Analysis, name: str) -> Meant:
    """Calls whose SQL, arguments, receipts or spans below name it."""
    name = name.encode("utf-8", "replace").decode("utf-8")
    parts = name.split(".")
    # The parts of a name may each be quoted, within the quotes of JSON.
    word = r'["`\]\\]*\.["`\[\\]*'.join(map(re.escape, parts))
    within = rf'(?<![\w-])(?:[\w"`\[\]\\]+\.)*["`\[\\]*{word}(?![\w-])'
    asked = re.compile(
        rf'\b(?:from|into|update|join|table|truncate)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)*{within}'
        rf'|"(?:{"|".join(HOLDERS)})"\s*:\s*{re.escape(json.dumps(name, ensure_ascii=False))}'
        rf'|\s(?:-n|--namespace)[ =]{word}(?![\w-])',
        re.IGNORECASE,
    )  # fmt: skip
    changed = re.compile(rf"(?<![\w-]){word}(?![\w-])", re.IGNORECASE)
    holds = pl.col("object_type").is_in(("table", "row", "collection", "namespace", "database", "schema", "document"))
    meant = _holding(analysis, (max(parts, key=len) or name,), asked, changed, holds)
    below = _above(analysis, name)
    calls = _some(analysis, "calls", _OF_CALL, pl.col("call_key").is_in(below.implode()))
    keys = pl.concat([meant.call_keys, below]) if meant.call_keys is not None else below
    return Meant(pl.concat([meant.run_ids, calls["run_id"]]).unique(), keys, meant.effects)


def _holding(
    analysis: Analysis,
    literals: Sequence[str],
    asked: re.Pattern[str],
    changed: re.Pattern[str],
    which: pl.Expr = _ANY,
) -> Meant:
    """Calls whose arguments hold one pattern, or whose effects another."""
    calls = _with(analysis, "calls", _OF_CALL, _ARGUMENTS, literals, asked)
    effects = _with(analysis, "effects", (*_OF_CALL, "evidence"), _OBJECTS, literals, changed, which)
    return Meant(
        pl.concat([calls["run_id"], effects["run_id"]]).unique(),
        pl.concat([calls["call_key"], effects["call_key"].drop_nulls()]).unique(),
        effects["evidence"],
    )


def _with(
    analysis: Analysis,
    table: str,
    columns: Sequence[str],
    texts: Sequence[str],
    literals: Sequence[str],
    pattern: re.Pattern[str],
    which: pl.Expr = _ANY,
) -> pl.DataFrame:
    """Columns of the rows of which some texts hold a pattern: rows without any of the literals hold none."""
    text = pl.concat_str(texts, separator="\n", ignore_nulls=True)
    holds = text.str.contains_any(list(literals), ascii_case_insensitive=True)
    some = _some(analysis, table, (*columns, *texts), which & holds).with_columns(text=text)
    return some.filter(pl.Series([pattern.search(each) is not None for each in some["text"]], dtype=pl.Boolean))


def _above(analysis: Analysis, name: str) -> pl.Series:
    """The calls in whose spans, at any depth, lies a span that names it."""
    named = pl.any_horizontal(
        pl.when(pl.col("attributes").str.contains(f'"{key}":', literal=True)).then(
            pl.col("attributes").str.json_path_match(f"$['{key}']")
        )
        == name
        for key in _ON_SPANS
    )
    told = analysis.told.having(spans=named)
    spans = told.identified.spans
    step = (
        spans.select("trace_id", at="span_id", up="parent_span_id")
        .drop_nulls(["trace_id", "at"])
        .unique(["trace_id", "at"], keep="first", maintain_order=True)
    )
    of_call = (
        told.call_events.filter(pl.col("event") == "tool.called")
        .select("trace_id", "call_key", at="span_id")
        .drop_nulls()
        .unique()
    )
    wanting = spans.filter(named).select("trace_id", at="span_id").drop_nulls()
    found = [of_call.select("call_key").clear()]
    for _ in range(LEVELS_ABOVE):
        found.append(wanting.join(of_call, on=["trace_id", "at"], how="inner").select("call_key"))
        wanting = wanting.join(step, on=["trace_id", "at"], how="inner").select("trace_id", at="up").drop_nulls()
        if not wanting.height:
            break
    return pl.concat(found)["call_key"].unique()
