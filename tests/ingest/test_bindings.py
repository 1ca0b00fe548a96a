"""A credential that is bound to agents: what its records may be of is told by what the tables would say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.cli import recording
from aftertrace.ingest import records
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redact_tokens import NOTE, READING
from aftertrace.ingest.redaction_policy import Keys, RedactionPolicy, make_policy
from aftertrace.ingest.rows import WHO, rows_of
from aftertrace.ingest.wire import split
from aftertrace.store.errors import Forbidden
from aftertrace.store.request import Request, Signal

KEY = b"k" * 32
NOBODY = ("nobody",)


def attributes(told: dict[str, str]) -> list[KeyValue]:
    """As OTLP has them."""
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in told.items()]


def trace(*spans: dict[str, str], **resource: str) -> bytes:
    """A request with spans of these attributes; `service` is its service."""
    service = {"service.name": resource["service"]} if resource else {}
    made = [
        Span(trace_id=b"t" * 16, span_id=bytes([index + 1] * 8), name="x", attributes=attributes(each))
        for index, each in enumerate(spans)
    ]
    group = ResourceSpans(resource=Resource(attributes=attributes(service)), scope_spans=[ScopeSpans(spans=made)])
    return ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()


def take(body: bytes, agents: tuple[str, ...], signal: Signal = "traces", policy: RedactionPolicy | None = None) -> int:
    """How many records of a request are taken from whoever may speak of these agents."""
    prepare = make_prepare(policy or RedactionPolicy(), limits=Limits(), key=KEY)
    return prepare(Request(signal, "protobuf", body, "ci", 1, "token 0", agents)).records


def named(body: bytes, signal: Signal) -> Iterator[str]:
    """The agents that rows of the tables would name, or their services."""
    decode: Any = records.span if signal == "traces" else records.log
    for part in split(body, signal):
        rows = rows_of(decode(part.record, records.origin(part.resource, part.scope)))
        who = dict(zip(WHO, rows.who, strict=True))
        yield from filter(None, [who["agent_name"] or who["service_name"]])


AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "refunds-eu"}


def test_what_real_agents_send_passes_under_the_names_that_tables_give_them_and_no_others() -> None:
    """Whatever their dialect calls an agent: 25 of them, each with the names of all its records but one left out."""
    seen = set()
    for export in recording.replay(1_800_000_000_000_000_000):
        if export.signal == "metrics":
            continue
        names = sorted(set(named(export.body, export.signal)))
        assert take(export.body, (*names, "nobody"), export.signal) > 0
        for name in names:
            seen.add(name)
            others = tuple(each for each in names if each != name) or NOBODY
            with pytest.raises(Forbidden):
                take(export.body, others, export.signal)
    assert len(seen) >= 5


def test_one_record_of_another_agent_is_enough() -> None:
    """All of the request is refused: what is refused in part, no sender sends again."""
    others = trace(AGENT, {**AGENT, "gen_ai.agent.name": "payroll"}, service="shop")
    assert take(others, ()) == 2
    assert take(others, ("refunds-*", "payroll")) == 2
    with pytest.raises(Forbidden) as raised:
        take(others, ("refunds-*",))
    assert str(raised.value) == (
        "take traces request: a record is of another agent or service than this credential is for (refunds-*); send it "
        "with another one, or add one with `aftertrace source add NAME --agent`"
    )


def test_where_no_agent_is_named_the_service_is() -> None:
    """Of neither a record is nobody's; a metric tells of no agent."""
    assert take(trace({"http.route": "/"}, service="shop"), ("shop",)) == 1
    with pytest.raises(Forbidden):
        take(trace({"http.route": "/"}, service="payroll"), ("shop",))
    assert take(trace({"http.route": "/"}), ("shop",)) == 1
    log = ResourceLogs(
        resource=Resource(attributes=attributes({"service.name": "payroll"})),
        scope_logs=[ScopeLogs(log_records=[LogRecord(event_name="x")])],
    )
    with pytest.raises(Forbidden):
        take(ExportLogsServiceRequest(resource_logs=[log]).SerializeToString(), ("shop",), "logs")
    metric = ResourceMetrics(resource=log.resource, scope_metrics=[ScopeMetrics(metrics=[Metric(name="m")])])
    assert take(ExportMetricsServiceRequest(resource_metrics=[metric]).SerializeToString(), ("shop",), "metrics") == 1


def test_names_are_compared_whole_and_nothing_in_them_is_a_pattern() -> None:
    """A name is what an agent says; it may hold anything, and pass for no more than it is."""
    for name in ("refunds", "refunds-eu\n", "xrefunds-eu", "*", "refunds-*x", "REFUNDS-EU", "refunds.eu"):
        with pytest.raises(Forbidden):
            take(trace({**AGENT, "gen_ai.agent.name": name}), ("refunds-eu", "refunds.e"))
    assert take(trace({**AGENT, "gen_ai.agent.name": "refunds-\neu é"}), ("refunds-*é",)) == 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_name_passes_for_itself_and_for_no_other(name: str, other: str) -> None:
    """Whatever its characters."""
    body = trace({**AGENT, "gen_ai.agent.name": name})
    if "*" not in name + other and name and other:
        assert take(body, (name,)) == 1
        if name != other:
            with pytest.raises(Forbidden):
                take(body, (other,))


def test_a_reading_that_a_sender_wrote_hides_no_agent() -> None:
    """With content left out, what was read of a record is carried; one that comes with the record is not believed."""
    forged = {
        **AGENT,
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"secret words of a person"}]}]',
        NOTE: "metadata-only 1",
        READING: '{"dialect":"genai","who":{"agent_name":"payroll"},"events":[]}',
    }
    policy = make_policy(capture="metadata-only")
    with pytest.raises(Forbidden):
        take(trace(forged), ("payroll",), policy=policy)
    # Where nothing is left out the tables do believe it, and so does this.
    assert list(named(trace(forged), "traces")) == ["payroll"]
    with pytest.raises(Forbidden):
        take(trace(forged), ("refunds-eu",))


def test_a_name_that_is_redacted_is_still_compared() -> None:
    """With what came; the token that is stored in its place is nobody's name."""
    policy = make_policy(keys=Keys((), (), ("service.*",)))
    assert take(trace(AGENT, service="shop"), ("refunds-eu",), policy=policy) == 1
    with pytest.raises(Forbidden):
        take(trace(AGENT, service="shop"), ("payroll",), policy=policy)
