"""Export requests of Gemini CLI and Qwen Code as their sources write them, made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from .frames import RECEIVED_NS, Frames, of_requests

if TYPE_CHECKING:
    from aftertrace.store.request import Encoding, Signal

AT_NS: Final = RECEIVED_NS - 60 * 10**9
SESSION: Final = "1a2b"
TURN: Final = f"{SESSION}########1"
TRACE: Final = "0" * 31 + "7"
BATCH: Final = "0" * 15 + "a"

Record = tuple[str, dict[str, Any]]


def stored(*records: Record, service: str = "gemini-cli") -> Frames:
    """What is stored of the records, each sent in a request of its own."""
    return of_requests(_requests(records, service))


def log(name: str, *, s: float, product: str = "gemini_cli", span: str | None = BATCH, **attributes: Any) -> Record:
    """A log record `s` seconds into the story, inside a span."""
    common = {"session.id": SESSION, "event.name": f"{product}.{name}", "prompt_id": TURN}
    record = {"timeUnixNano": _time(s), "body": {"stringValue": name}, "attributes": _pairs(common | attributes)}
    return "logs", record | ({"traceId": TRACE, "spanId": span} if span else {})


def tool_log(tool: str, *, s: float, ms: int, interactive: bool | None = True, **attributes: Any) -> Record:
    """`gemini_cli.tool_call`: one call, told when it ended, `ms` after it came to the control point."""
    arguments = attributes.pop("arguments", {"path": "/tmp/a"})
    named = {"function_name": tool, "function_args": json.dumps(arguments, indent=2), "duration_ms": ms}
    return log("tool_call", s=s, interactive=interactive, **named, **attributes)


def span(
    name: str, *, s: float, to: float, span_id: str = BATCH, parent: str | None = None, **attributes: Any
) -> Record:
    """A span; its attributes are given with `_` for `.`, in the `gen_ai` namespace."""
    named = {f"gen_ai.{key.replace('__', '.')}": value for key, value in attributes.items()}
    common = {"gen_ai.operation.name": name, "gen_ai.conversation.id": SESSION, "gen_ai.agent.name": "gemini-cli"}
    return qwen_span(name, s=s, to=to, span_id=span_id, parent=parent, **common, **named)


def qwen_span(
    name: str, *, s: float, to: float, span_id: str = BATCH, parent: str | None = None, **attributes: Any
) -> Record:
    """A span with its attributes as they are."""
    return "traces", {
        "traceId": TRACE,
        "spanId": span_id,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": _time(s),
        "endTimeUnixNano": _time(to),
        "attributes": _pairs(attributes),
        "status": {"code": 1},
    }


def request(tool: str, call: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    """A `ToolCallRequestInfo`."""
    return {
        "callId": f"{tool}__{call}",
        "name": tool,
        "args": {"path": "/tmp/a"} if arguments is None else arguments,
        "isClientInitiated": False,
        "prompt_id": TURN,
    }


def completed(
    asked: dict[str, Any], status: str, *, ms: int, error: str | None = None, **fields: Any
) -> dict[str, Any]:
    """A `CompletedToolCall`, as a span holds it."""
    told = {"output": "done"} if error is None else {"error": error}
    parts = [{"functionResponse": {"id": asked["callId"], "name": asked["name"], "response": told}}]
    response = {"callId": asked["callId"], "responseParts": parts}
    if "errorType" in fields:
        response["errorType"] = fields.pop("errorType")
    return {"request": asked, "status": status, "response": response, "durationMs": ms, **fields}


def _requests(records: Iterable[Record], service: str) -> Iterable[tuple[Signal, Encoding, bytes]]:
    resource = {"attributes": _pairs({"service.name": service, "service.version": "v20.20.2"})}
    for signal, record in records:
        scope = {"scope": {"name": service}}
        if signal == "logs":
            body = {"resourceLogs": [{"resource": resource, "scopeLogs": [scope | {"logRecords": [record]}]}]}
            yield "logs", "json", json.dumps(body).encode()
        else:
            body = {"resourceSpans": [{"resource": resource, "scopeSpans": [scope | {"spans": [record]}]}]}
            yield "traces", "json", json.dumps(body).encode()


def _time(s: float) -> str:
    return str(AT_NS + int(s * 1000) * 10**6)


def _pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value if isinstance(value, str) else json.dumps(value)}
