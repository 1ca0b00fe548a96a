"""What leads from the outside to a run: a pull request, a commit, a row, an error text, a person, an argument.

Everything that names or mentions a text is found: receipts, arguments, results, reasons, texts that reviewers saw,
inputs, ids, people. A receipt, an argument or an id that names it is `explicit`; where it only stands in a result or
another text, that the run had to do with it is `inferred`, and so it is where a result tells of an effect and no
receipt does. Results and inputs are stored by their first 2,048 characters, so what stands further on is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.finding.references import Sought, sought
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.schemas.derived import DERIVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.derived.derivation import Derivation

FINDS: Final = {
    "first_ns": (pl.Int64, "earliest time any record gives it"),
    "run_id": (pl.String, "run"),
    "of": (pl.String, "what it was found in: `effect`, `call`, `approval`, `input`, `run`, or a `commit` outside"),
    "field": (pl.String, "where it stands: the column, or `result`, `content`, `trailer`, `conversation`"),
    "snippet": (pl.String, "what stands around it"),
    "basis": (
        pl.String,
        "`explicit`: a receipt, an argument or an id names it; `inferred`: a text does, or a result tells it",
    ),
    "tool_name": (pl.String, "tool"),
    "tool_call_id": (pl.String, "the sender's id of the call"),
    "outcome": (pl.String, "what became of the call, or the state of the effect or run"),
    "agent_name": (pl.String, "agent"),
    "evidence": (pl.String, "`receiver/seq/index` of a record of it"),
}
"""Columns of what is found."""
SCHEMA: Final = pl.Schema({name: kind for name, (kind, _) in FINDS.items()})

_EFFECT: Final = ("receipt_id", "object_url", "object_id", "idempotency_key", "after_digest", "before_digest", "system")
_CALL: Final = ("arguments", "executed_arguments", "tool_name", "tool_call_id", "reviewer", "granted_by", "reason")
_APPROVAL: Final = ("approval_id", "approved_arguments", "shown")
"""What is not told of the call as well."""
_RUN: Final = (
    "run_keys", "run_id", "conversation_id", "traces", "trigger_id", "parent_run_key", "user_id", "workflow",
    "agent_name", "service_name", "input_digests", "system_prompt_digest",
)  # fmt: skip
_TEXTS: Final = ("reason", "shown", "result", "content", "prompt")
"""Fields in which a text may be mentioned without being meant."""
_RESULTS: Final = ("completed", "failed", "answered", "refused", "cancelled")


def finds(analysis: Analysis, texts: Sequence[str], filter: Filter | None = None) -> pl.DataFrame:  # noqa: A002
    """One row per effect, call, approval, input and run in which all texts stand, the latest first; columns as `FINDS`.

    Each text is looked for in any case; all of them must stand in one field. Of a thing with several such fields, the
    one that says most is told.

    Raises:
        Invalid: a text is too short.
    """
    looked_for = [sought(text) for text in texts]
    found = [_found(rows, looked_for) for rows in _places(analysis, looked_for, filter or Filter())]
    return (
        pl.concat([pl.DataFrame(schema={**SCHEMA, "key": pl.String, "rank": pl.Int64}), *found])
        .sort("rank")
        .unique(["of", "key"], keep="first", maintain_order=True)
        .sort("first_ns", "run_id", "of", "key", descending=[True, False, False, False], nulls_last=True)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    )


def _places(analysis: Analysis, looked_for: list[Sought], wanted: Filter) -> Iterator[pl.DataFrame]:
    """Where a text may stand: columns of `FINDS`, `key` of the thing, `rank` of the field, and `text`."""
    mentioned = [_mentions(pl.col("content"), each) for each in looked_for]
    told = analysis.told.having(events=pl.all_horizontal(pl.col("content").is_not_null(), *mentioned))
    results, inputs = _results(told), _inputs(told)
    # One result may tell of several effects.
    effects = analysis.select("effects", wanted, only=_holds("effects", _EFFECT, looked_for)).with_columns(
        outcome="state", key=pl.concat_str("evidence", "object_id", ignore_nulls=True)
    )
    yield from _fields(effects, "effect", _EFFECT)
    has_result = pl.col("call_key").is_in(results["call_key"].implode())
    calls = analysis.select("calls", wanted, only=_holds("calls", _CALL, looked_for) | has_result).with_columns(
        key="call_key", evidence=pl.col("evidence").list.first()
    )
    yield from _fields(calls, "call", _CALL)
    of_calls_told = calls.drop("evidence").join(results, on="call_key", how="inner")
    yield _place(of_calls_told, "call", "result", len(_CALL))
    approvals = analysis.select("approvals", wanted, only=_holds("approvals", _APPROVAL, looked_for)).with_columns(
        key="call_key", evidence=pl.lit(None, pl.String), outcome="decision"
    )
    yield from _fields(approvals, "approval", _APPROVAL)
    # What speaks of no call is left out where calls are asked for.
    of_calls = (
        wanted.tool, wanted.outcome, wanted.decided_by, wanted.reviewer, wanted.risk, wanted.target, wanted.namespace,
    )  # fmt: skip
    if any(of_calls):
        return
    has_input = pl.col("run_id").is_in(inputs["run_id"].implode())
    runs = analysis.select("runs", wanted, only=_holds("runs", _RUN, looked_for) | has_input)
    runs = runs.with_columns(
        key="run_id", outcome="state", evidence=pl.lit(None, pl.String), tool_name=pl.lit(None, pl.String),
        tool_call_id=pl.lit(None, pl.String),
    )  # fmt: skip
    yield from _fields(runs, "run", _RUN)
    yield _place(runs.drop("evidence", "key").join(inputs, on="run_id", how="inner"), "input", "content", 0)


def _holds(table: str, names: Sequence[str], looked_for: list[Sought]) -> pl.Expr:
    """Whether all that is looked for may stand in one of these fields: no other rows are read."""
    texts = [_text(DERIVED[table].schema, name) for name in names]
    return pl.any_horizontal(
        pl.all_horizontal(text.is_not_null(), *(_mentions(text, each) for each in looked_for)).fill_null(value=False)
        for text in texts
    )


def _text(schema: pl.Schema, name: str) -> pl.Expr:
    return pl.col(name).list.join("\n") if schema[name] == pl.List(pl.String) else pl.col(name)


def _fields(rows: pl.DataFrame, of: str, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    for rank, name in enumerate(names):
        yield _place(rows.with_columns(text=_text(rows.schema, name)), of, name, rank)


def _results(told: Derivation) -> pl.DataFrame:
    """What calls gave: `call_key`, `text`, `evidence`."""
    return told.call_events.filter(
        (pl.col("event") == "tool.called") & pl.col("state").is_in(_RESULTS) & pl.col("content").is_not_null()
    ).select("call_key", text="content", evidence="pointer")


def _inputs(told: Derivation) -> pl.DataFrame:
    """What went into runs: `run_id`, `text`, `evidence`, `key`."""
    return told.identified.events.filter(
        pl.col("event").is_in(("input.resolved", "plan.recorded")) & pl.col("content").is_not_null()
    ).select(
        "run_id", text="content", evidence="pointer", key=pl.concat_str("run_id", "content_digest", ignore_nulls=True)
    )


def _place(rows: pl.DataFrame, of: str, field: str, rank: int) -> pl.DataFrame:
    # An effect without a receipt is itself read from a result.
    basis = pl.col("basis") if of == "effect" else pl.lit("inferred" if field in _TEXTS else "explicit")
    named = rows.with_columns(of=pl.lit(of), field=pl.lit(field), basis=basis, rank=pl.lit(rank, pl.Int64)).filter(
        pl.col("text").is_not_null()
    )
    columns = [name for name in SCHEMA if name != "snippet"]
    return named.select(*(pl.col(name).cast(SCHEMA[name]) for name in columns), "key", "rank", "text")


def _found(rows: pl.DataFrame, looked_for: list[Sought]) -> pl.DataFrame:
    """The rows whose text holds all that is looked for, with a snippet of the first."""
    for each in looked_for:
        rows = rows.filter(_mentions(pl.col("text"), each))
    snippets = [_snippet(text, looked_for) for text in rows["text"]]
    return (
        rows.with_columns(snippet=pl.Series(snippets, dtype=pl.String))
        .filter(pl.col("snippet").is_not_null())
        .select(*SCHEMA, "key", "rank")
    )


def _mentions(text: pl.Expr, looked_for: Sought) -> pl.Expr:
    return text.str.contains_any(list(looked_for.literals), ascii_case_insensitive=True)


def _snippet(text: str, looked_for: list[Sought]) -> str | None:
    told = [each.snippet(text) for each in looked_for]
    return None if None in told else (told[0] if told else text[:60])
