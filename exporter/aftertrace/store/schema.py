"""What is stored: every table, every column, declared once.

The tables are plain Delta Lake, partitioned by ``received_date`` alone (a value the server makes), so that Polars,
Spark, Trino, DuckDB or ClickHouse read them without aftertrace. Times are ``int64`` nanoseconds since the Unix epoch in
columns that end in ``_ns``, because Delta keeps microseconds. Ids are lower-case hex text. The docs table is generated
from the metadata here.

A row of ``spans`` or ``events`` points at the evidence it was read from by ``(receiver, seq, index)``; its facts can be
made anew from there at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

SCHEMA_VERSION: Final = 1
"""Raised when a column changes its meaning; added columns keep it."""

PARTITION: Final = "received_date"

CUT: Final = "aftertrace.cut"
"""The only member of the object that stands in `arguments` for such as were too long to be stored."""


def _column(name: str, kind: pa.DataType, brief: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"brief": brief})


FLAGS_BRIEF: Final = (
    "JSON list of what is odd about the record: clamped times, what was dropped or sampled away, a parent elsewhere, "
    "another record of its id …: see the flags"
)

_POINTER: Final = [
    _column(PARTITION, pa.date32(), "day the receiver took the request in (UTC); the partition"),
    _column("receiver", pa.string(), "name of the receiver whose WAL the frame went through"),
    _column("seq", pa.int64(), "sequence number of the WAL frame (request) within the receiver"),
    _column("index", pa.int32(), "position of the record in its request, from 0, in wire order"),
    _column("received_ns", pa.int64(), "when the receiver took the request in"),
    _column(
        "source",
        pa.string(),
        "who sent it, as the server authenticated it; `anonymous` on an open loopback port",
    ),
]

EVIDENCE: Final = pa.schema(
    [
        *_POINTER,
        _column("frame_records", pa.int32(), "how many records the frame holds, so that a missing one shows"),
        _column("signal", pa.string(), "`traces`, `logs` or `metrics`"),
        _column(
            "record",
            pa.binary(),
            "the stored OTLP bytes of the Span, LogRecord or Metric, redacted before writing",
        ),
        _column("resource_digest", pa.string(), "key into `resources`"),
        _column("scope_digest", pa.string(), "key into `scopes`"),
        _column(
            "record_key",
            pa.binary(),
            "16-byte keyed digest of the record, its resource and its scope before redaction",
        ),
        _column("duplicate_of", pa.string(), "`receiver/seq/index` of the first copy when the record came before"),
        _column("redactions", pa.int32(), "how many values redaction replaced in the record's request"),
        _column("policy_digest", pa.string(), "digest of the redaction policy in force"),
        _column(
            "record_id",
            pa.binary(),
            "8-byte keyed digest of the id that the sender gave it: trace and span id, or `log.record.uid`; null: none",
        ),
        _column("flags", pa.string(), FLAGS_BRIEF),
        _column(
            "salt",
            pa.binary(),
            "16 random bytes of the request: without them nobody can test guesses against what the ledger holds",
        ),
        _column(
            "credential",
            pa.string(),
            "what the source showed: `token` or `certificate`, and 16 hex digits of its SHA-256; null: nothing",
        ),
    ]
)
"""One row per received record: the bytes everything else is made from."""

RESOURCES: Final = pa.schema(
    [
        _column(PARTITION, pa.date32(), "day the resource was first seen by this drain; the partition"),
        _column("digest", pa.string(), "`sha256:` digest of `bytes` and `schema_url`"),
        _column("bytes", pa.binary(), "OTLP Resource message"),
        _column("schema_url", pa.string(), "schema URL of the resource"),
    ]
)
SCOPES: Final = pa.schema(
    [
        _column(PARTITION, pa.date32(), "day the scope was first seen by this drain; the partition"),
        _column("digest", pa.string(), "`sha256:` digest of `bytes` and `schema_url`"),
        _column("bytes", pa.binary(), "OTLP InstrumentationScope message"),
        _column("schema_url", pa.string(), "schema URL of the scope"),
    ]
)

_WHO: Final = [
    _column("tenant", pa.string(), "tenant of the authenticated source"),
    _column("service_name", pa.string(), "`service.name` of the resource: a claim of the sender"),
    _column("service_version", pa.string(), "`service.version` of the resource"),
    _column("environment", pa.string(), "`deployment.environment.name` of the resource"),
    _column("dialect", pa.string(), "which dialect read the record"),
    _column("scope_name", pa.string(), "name of the instrumentation scope"),
    _column("trace_id", pa.string(), "trace id, 32 hex digits"),
    _column("span_id", pa.string(), "span id, 16 hex digits: of the span itself, or the one a log record names"),
    _column("parent_span_id", pa.string(), "parent span id"),
    _column("run_key", pa.string(), "explicit run id (`aftertrace.run.id`), if the sender gives one"),
    _column("conversation_id", pa.string(), "session, conversation or thread, as the sender names it"),
    _column("turn_id", pa.string(), "the sender's own id of one invocation or turn"),
    _column("agent_name", pa.string(), "agent that acts"),
    _column("agent_id", pa.string(), "agent id"),
    _column("agent_version", pa.string(), "agent version"),
    _column("model", pa.string(), "model that was asked for"),
    _column("model_served", pa.string(), "model that answered"),
    _column("user_id", pa.string(), "the user or principal the sender names"),
    _column("tool_name", pa.string(), "tool"),
    _column("call_id", pa.string(), "the sender's id of the tool call"),
    _column("input_tokens", pa.int64(), "tokens read"),
    _column("output_tokens", pa.int64(), "tokens written"),
    _column("cost_usd", pa.float64(), "cost in US dollars as the sender states it"),
    _column("system_prompt_digest", pa.string(), "tagged digest of the system prompt in force"),
    _column(
        "tool_names",
        pa.string(),
        "JSON list of the tools the model could call; null is unknown, `[]` is none",
    ),
    _column("tools_digest", pa.string(), "tagged digest of the tool definitions"),
]

SPANS: Final = pa.schema(
    [
        *_POINTER,
        *_WHO,
        _column("name", pa.string(), "span name"),
        _column("kind", pa.int8(), "OTLP span kind"),
        _column("start_ns", pa.int64(), "start"),
        _column("end_ns", pa.int64(), "end; 0 while the span is open"),
        _column("status", pa.string(), "`unset`, `ok` or `error`"),
        _column("status_message", pa.string(), "status text, cut to 512 characters"),
        _column(
            "operation",
            pa.string(),
            "what the span is: `invoke_agent`, `chat`, `execute_tool`, `approval`, `guardrail`, `step`, or null",
        ),
        _column("links", pa.string(), "JSON list of `[trace id, span id]` this span links to"),
        _column("attributes", pa.string(), "JSON object of the span's short attributes"),
        _column("flags", pa.string(), FLAGS_BRIEF),
    ]
)
"""One row per span, without duplicates."""

EVENTS: Final = pa.schema(
    [
        *_POINTER,
        _column("ordinal", pa.int32(), "position among the events read from one record, from 0"),
        *_WHO,
        _column(
            "event",
            pa.string(),
            "canonical event without the `aftertrace.` prefix, such as `action.proposed`",
        ),
        _column(
            "state",
            pa.string(),
            "what the event states; the vocabulary of each event is in `ingest.dialects.events`",
        ),
        _column("time_ns", pa.int64(), "when it happened, by the sender's clock"),
        _column("end_ns", pa.int64(), "end of what lasts (an execution, a wait); null for a point in time"),
        _column(
            "position",
            pa.int32(),
            "position in the list the sender gave (calls of a message, answers of a reviewer)",
        ),
        _column("group", pa.string(), "id of the interrupt, message or batch that `position` counts in"),
        _column("basis", pa.string(), "`explicit`: a field says so; `inferred`: read from text or from absence"),
        _column("decided_by", pa.string(), "class of who decided"),
        _column("decider", pa.string(), "the person, rule or program that decided, as named"),
        _column("identity", pa.string(), "how sure `decider` is: `authenticated`, `asserted`, `inferred`"),
        _column("wait_ns", pa.int64(), "how long the decision took"),
        _column("reason", pa.string(), "reason code or text, cut to 2,048 characters"),
        _column(
            "arguments",
            pa.string(),
            "canonical JSON of the call's arguments as this event knows them; of more than 262,144 characters only "
            '`{"aftertrace.cut":{"begins":…,"characters":…,"digest":…}}`',
        ),
        _column("arguments_digest", pa.string(), "tagged digest of the whole arguments"),
        _column(
            "content",
            pa.string(),
            "start of a result, prompt or text shown, cut to 2,048 characters; or a reference to it",
        ),
        _column("content_digest", pa.string(), "tagged digest of the whole content"),
        _column("rule", pa.string(), "named rule by which the dialect read it so"),
        _column("attributes", pa.string(), "JSON object of further short attributes"),
        _column("flags", pa.string(), FLAGS_BRIEF),
    ]
)
"""One row per audit event, from log records, span events and what spans mean, in one vocabulary."""


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table: its name, its columns and what one row is."""

    name: str
    schema: pa.Schema
    brief: str


TABLES: Final = {
    table.name: table
    for table in (
        Table("resources", RESOURCES, "a resource (process, service) that sent something"),
        Table("scopes", SCOPES, "an instrumentation scope (library) that produced something"),
        Table("evidence", EVIDENCE, "a received span, log record or metric, as stored"),
        Table("spans", SPANS, "a span"),
        Table("events", EVENTS, "an audit event"),
    )
}
"""Every stored table by name, in the order in which one drain commits them. `evidence` is committed last but for what
is read from it: see `ingest.drain`."""
