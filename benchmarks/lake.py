"""Stores to measure reading with: runs of sixteen spans and twenty-eight events, in files as folding leaves them.

Every run is a copy of one, with ids, times and texts of its own. Some runs in a row are one conversation.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from aftertrace.store.compaction import together
from aftertrace.store.schema import EVENTS, SPANS, TABLES
from aftertrace.store.tables import TableWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aftertrace.store.layout import Layout

SPANS_PER_RUN: Final = 16
EVENTS_PER_RUN: Final = 28
TOOLS: Final = 8
RUNS_PER_FILE: Final = 16_384
"""About what one folded file of `spans` holds."""
RUNS_PER_COMMIT: Final = 64
SMALL_COMMITS: Final = 48
"""Commits at the end that are not folded yet."""

BEGAN_NS: Final = 1_790_000_000 * 10**9
"""When the first run began."""
_RUN_EVERY_NS: Final = 10**9 // 4
_DAY_NS: Final = 24 * 3600 * 10**9
_DENIED_CALL: Final = "7"


@dataclass(frozen=True, slots=True)
class Shape:
    """How runs hang together."""

    runs: int
    of_conversation: int = 3
    """So many runs are one conversation; 0: nothing names any."""
    counted: bool = False
    """The ids of calls are counted in each run: `call_1` is everywhere."""
    days: int = 0
    """Over so many days they are spread; 0: one begins every quarter of a second."""
    denied_every: int = 0
    """Of every so many runs one has its last call denied by a policy; 0: none."""


def fill(layout: Layout, shape: Shape, *, seed: int = 1, after: int = 0) -> list[str]:
    """Write runs into a store.

    Args:
        layout: an open data folder.
        shape: how many, and how they hang together.
        seed: of ids and texts.
        after: so many runs are in it already, made with another seed.

    Returns:
        The trace ids of the runs, in order of time.
    """
    rng, runs = random.Random(seed), shape.runs
    writers = {name: TableWriter(layout, name) for name in ("evidence", "spans", "events")}
    traces = [rng.randbytes(16).hex() for _ in range(runs)]
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 11))) for _ in range(6000)]
    texts = [" ".join(rng.choices(words, k=45)) for _ in range(4096)]
    small = min(runs // 2, RUNS_PER_COMMIT * SMALL_COMMITS)
    folded = list(range(0, runs - small, RUNS_PER_FILE))
    starts = [*folded, *range(runs - small, runs, RUNS_PER_COMMIT)]
    for start, end in zip(starts, [*starts[1:], runs], strict=True):
        frame = _runs(traces[start:end], after + start, texts, shape)
        for name, schema, template in (("spans", SPANS, _SPAN_ROWS), ("events", EVENTS, _EVENT_ROWS)):
            rows = _rows(frame, template, schema, shape)
            writers[name].append(together(name, rows), "main", after + end)
        writers["evidence"].append(TABLES["evidence"].schema.empty_table(), "main", after + end)
    return traces


def _runs(traces: list[str], start: int, texts: list[str], shape: Shape) -> pl.DataFrame:
    """What tells runs apart: `number`, `trace_id`, `conversation_id`, `is_counted`, `text`."""
    number = pl.int_range(start, start + len(traces), dtype=pl.Int64, eager=True).alias("number")
    frame = pl.DataFrame([number, pl.Series("trace_id", traces)])
    conversation = pl.lit(None, pl.String)
    if shape.of_conversation:
        conversation = pl.format("conversation-{}", pl.col("number") // shape.of_conversation)
    return frame.with_columns(
        conversation_id=conversation,
        is_counted=pl.lit(shape.counted),
        text=pl.Series(texts).gather(frame["number"] % len(texts)),
    )


def _rows(runs: pl.DataFrame, template: pl.DataFrame, schema: pa.Schema, shape: Shape) -> pa.Table:
    """The rows of some runs, from those of one."""
    every_ns = shape.days * _DAY_NS // shape.runs if shape.days else _RUN_EVERY_NS
    began_ns = pl.lit(BEGAN_NS) + pl.col("number") * every_ns
    received_ns = began_ns + 30 * 10**9
    times = [name for name in ("start_ns", "end_ns", "time_ns") if name in template.columns]
    drawn = pl.format("toolu_{}", pl.struct("trace_id", "call").hash())
    call_id = pl.when("is_counted").then(pl.format("call_{}", "call")).otherwise(drawn)
    told = runs.join(template, how="cross").with_columns(
        received_date=received_ns.cast(pl.Datetime("ns")).dt.date(),
        receiver=pl.lit("main"),
        seq=pl.col("number") + 1,
        received_ns=received_ns,
        source=pl.lit("anonymous"),
        service_name=pl.lit("shop"),
        service_version=pl.lit("1.4.2"),
        dialect=pl.lit("genai"),
        scope_name=pl.lit("opentelemetry.instrumentation.genai"),
        agent_name=pl.format("agent-{}", pl.col("number") % 9),
        model=pl.lit("gpt-5.2"),
        call_id=pl.when(pl.col("call").is_not_null()).then(call_id),
        attributes=pl.concat_str(pl.lit('{"response_id":"resp_'), "trace_id", pl.lit('"}')),
        **{name: pl.col(name) + began_ns for name in times},
        **({"content": pl.when(pl.col("event") != "action.proposed").then("text")} if "event" in schema.names else {}),
    )
    told = _denied(told, shape.denied_every)
    if "arguments" in told.columns:
        # Each call is asked for something of its own.
        order = pl.concat_str(pl.lit('{"order":"o-'), "number", pl.lit("-"), "call", pl.lit('"}'))
        told = told.with_columns(arguments=pl.when(pl.col("arguments").is_not_null()).then(order))
    missing = [pl.lit(None).alias(name) for name in schema.names if name not in told.columns]
    table: pa.Table = told.with_columns(missing).select(schema.names).to_arrow().cast(schema)
    return table


def _denied(told: pl.DataFrame, every: int) -> pl.DataFrame:
    """The rows, where the last call of some runs was denied and so never ran."""
    if not every:
        return told
    is_denied = ((pl.col("number") % every == 0) & (pl.col("call") == _DENIED_CALL)).fill_null(value=False)
    if "event" not in told.columns:
        return told.filter(~is_denied)
    state = pl.when(is_denied & (pl.col("event") == "policy.evaluated")).then(pl.lit("deny")).otherwise("state")
    return told.with_columns(state=state).filter(~(is_denied & (pl.col("event") == "tool.called")))


def _one(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col("index").cast(pl.Int32), pl.col("call").cast(pl.String)
    )


def _span_rows() -> list[dict[str, Any]]:
    """One run's: an agent, a model call before each tool but the first two, which one proposed, and one to end with."""
    rows: list[dict[str, Any]] = [_span(0, "invoke_agent", 0, 20_000)]
    rows += [_span(1 + n, "chat", 10 + n * 2_500, 900) for n in range(SPANS_PER_RUN - TOOLS - 1)]
    rows += [
        {**_span(8 + n, "execute_tool", 1_000 + n * 2_200, 700), "call": str(n), "tool_name": f"tool_{n}"}
        for n in range(TOOLS)
    ]
    return rows


def _span(index: int, operation: str, start_ms: int, took_ms: int) -> dict[str, Any]:
    return {
        "index": index,
        "call": None,
        "tool_name": None,
        "name": operation,
        "operation": operation,
        "span_id": f"{index + 1:016x}",
        "parent_span_id": None if index == 0 else f"{1:016x}",
        "start_ns": start_ms * 10**6,
        "end_ns": (start_ms + took_ms) * 10**6,
        "status": "unset",
    }


def _event_rows() -> list[dict[str, Any]]:
    """One run's: a prompt, the model calls, and for each tool its proposal, a policy's verdict and its result."""
    rows = [_event(0, 0, "input.resolved", "user_prompt", 1)]
    rows += [_event(1 + n, 0, "model.called", None, 10 + n * 2_500) for n in range(3)]
    for n in range(TOOLS):
        at_ms, of = 900 + n * 2_200, {"call": str(n), "tool_name": f"tool_{n}", "arguments": f'{{"n":{n}}}'}
        rows += [
            {**_event(1, 1 + n, "action.proposed", "proposed", at_ms), **of},
            {**_event(8 + n, 0, "policy.evaluated", "allow", at_ms + 50), **of, "decided_by": "policy"},
            {**_event(8 + n, 1, "tool.called", "completed", at_ms + 100), **of},
        ]
    return rows


def _event(index: int, ordinal: int, event: str, state: str | None, at_ms: int) -> dict[str, Any]:
    return {
        "index": index,
        "ordinal": ordinal,
        "call": None,
        "tool_name": None,
        "arguments": None,
        "decided_by": None,
        "event": event,
        "state": state,
        "basis": "explicit",
        "span_id": f"{index + 1:016x}",
        "time_ns": at_ms * 10**6,
    }


_SPAN_ROWS: Final = _one(_span_rows())
_EVENT_ROWS: Final = _one(_event_rows()).with_columns(pl.col("ordinal").cast(pl.Int32))
