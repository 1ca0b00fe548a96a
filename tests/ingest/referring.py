"""A store whose configuration keeps large content apart, and requests that have some."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import make_policy
from aftertrace.store.folder import store_key
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.request import Prepare, Request
from aftertrace.store.retention.contents import planned_contents
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal import WalWriter

from .drain_samples import NOON_NS, SMALL

AT_LEAST: Final = 300
CANARY: Final = "the canary sings hunter2"
RESULT: Final = f'{CANARY}: "quoted" ü <b>\n' * 20
ANSWER: Final = "what the model says, at length. " * 20
PROMPT: Final = "what a person asks, at length. " * 20
ASKED: Final = {"body": "what is to be written, at length. " * 20}


def conversation(result: str = RESULT, answer: str = ANSWER, *, asked: Any = ASKED) -> str:
    """Messages of a model call: what a person asked, the model said and called, and what came back."""
    call = {"type": "tool_call", "id": "c-1", "name": "fetch", "arguments": asked}
    came = {"type": "tool_call_response", "id": "c-1", "response": result}
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": PROMPT}]},
        {"role": "assistant", "parts": [{"type": "text", "content": answer}, call]},
        {"role": "tool", "parts": [came]},
    ]
    return json.dumps(messages)


def tool_call(number: int, result: str = RESULT) -> dict[str, str]:
    """Attributes of a span of a tool that ran."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "fetch",
        "gen_ai.tool.call.id": f"c-{number}",
        "gen_ai.tool.call.arguments": json.dumps(ASKED),
        "gen_ai.tool.call.result": result,
    }


def spans_of(*attributes: dict[str, str], trace: int = 1) -> bytes:
    """A request with a span of each."""
    spans = [
        Span(
            trace_id=trace.to_bytes(16, "big"),
            span_id=(trace * 100 + number).to_bytes(8, "big"),
            name="fetch",
            start_time_unix_nano=NOON_NS,
            end_time_unix_nano=NOON_NS + 5,
            attributes=[KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in told.items()],
        )
        for number, told in enumerate(attributes, 1)
    ]
    return TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]).SerializeToString()


def preparing(layout: Layout, capture: str = "by-reference") -> Prepare:
    """What is done to requests of a store."""
    policy = make_policy(capture=capture, reference_bytes=AT_LEAST)
    return make_prepare(policy, limits=Limits(), key=store_key(layout))


def refer(
    layout: Layout,
    *payloads: bytes,
    received_ns: int = NOON_NS,
    receiver: str = "main",
    capture: str = "by-reference",
    source: str = "anonymous",
) -> None:
    """Write requests into a WAL, with what they refer to."""
    prepare = preparing(layout, capture)
    with WalWriter(layout, receiver, SMALL) as writer:
        for payload in payloads:
            request = Request("traces", "protobuf", payload, source, received_ns)
            writer.append(request, prepare(request)).result(5)


def order_contents(layout: Layout, day: date) -> None:
    """Ask that contents whose term of thirty days is over on a day are destroyed: the drain does it."""
    last = acts.last_hold(acts.recorded(layout))
    plan = planned_contents(Snapshot.of(layout.data), store_key(layout), 30, (), day, last)
    acts.ask_to_destroy(layout, plan.order("ann", "over", datetime.now(UTC).date()))
