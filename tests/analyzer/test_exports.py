"""Exports of Langfuse and Phoenix: what other tools kept of spans that were sent to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from aftertrace.ingest import otlp_json
from aftertrace.ingest.records import value

from . import frames

COLUMNS: Final = ("tool_name", "outcome", "decided_by", "basis", "arguments", "executed_arguments")


def calls(*paths: Path) -> list[tuple[Any, ...]]:
    """The calls that files tell of, in order."""
    return frames.of_files(*paths).analysis().calls.sort("first_ns", "call_key").select(COLUMNS).rows()


def spans_of(recording: Path) -> Iterator[dict[str, Any]]:
    """The spans of a recording, as Phoenix's API gives them: ids and times as texts, attributes flat."""
    for line in recording.read_text().splitlines():
        request = otlp_json.decode(json.dumps(json.loads(line)["request"]).encode(), "traces")
        for group in request.resource_spans:
            for span in (span for scoped in group.scope_spans for span in scoped.spans):
                yield {
                    "name": span.name,
                    "context": {"trace_id": span.trace_id.hex(), "span_id": span.span_id.hex()},
                    "parent_id": span.parent_span_id.hex() or None,
                    "start_time": _iso(span.start_time_unix_nano),
                    "end_time": _iso(span.end_time_unix_nano),
                    "status_code": ("UNSET", "OK", "ERROR")[span.status.code],
                    "status_message": span.status.message,
                    "attributes": {pair.key: value(pair.value) for pair in span.attributes},
                    "events": [
                        {
                            "name": event.name,
                            "timestamp": _iso(event.time_unix_nano),
                            "attributes": {pair.key: value(pair.value) for pair in event.attributes},
                        }
                        for event in span.events
                    ],
                }


def _iso(time_ns: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_ns // 1000 / 1e6, UTC).isoformat()


def rest(spans: list[dict[str, Any]]) -> dict[str, Any]:
    """A page of the API."""
    return {"data": [{**span, "span_kind": span["attributes"]["openinference.span.kind"]} for span in spans]}


def frame(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a data frame: a column for each attribute that any span has, and times in milliseconds."""
    keys = {key for span in spans for key in span["attributes"]}
    return [
        {
            **{key: span[key] for key in ("name", "parent_id", "status_code", "status_message", "events")},
            **{f"context.{key}": held for key, held in span["context"].items()},
            **{f"attributes.{key}": span["attributes"].get(key) for key in keys},
            "span_kind": span["attributes"]["openinference.span.kind"],
            "start_time": span["start_time"],
            "end_time": span["end_time"],
        }
        for span in spans
    ]


@pytest.mark.parametrize(
    ("emitter", "case"),
    [("langchain", "openinference_reject_edit"), ("openai-agents", "openinference_reject_approve")],
)
@pytest.mark.parametrize("form", ["page", "pretty page", "lines", "list"])
def test_an_export_of_phoenix_tells_what_the_spans_told(tmp_path: Path, emitter: str, case: str, form: str) -> None:
    """The same outcomes, deciders and arguments as the spans that were sent to it; imported twice, once."""
    recording = frames.RECORDINGS / emitter / f"{case}.otlp.jsonl"
    spans = list(spans_of(recording))
    path = tmp_path / "spans.json"
    path.write_text(
        {
            "page": lambda: json.dumps(rest(spans)),
            "pretty page": lambda: json.dumps(rest(spans), indent=1),
            "lines": lambda: "".join(json.dumps(row) + "\n" for row in frame(spans)),
            "list": lambda: json.dumps(frame(spans)),
        }[form]()
    )
    sent = frames.of_recording(recording).analysis().calls.sort("first_ns", "call_key").select(COLUMNS).rows()
    assert sorted(map(str, calls(path))) == sorted(map(str, sent))
    assert sorted(map(str, calls(path, path))) == sorted(map(str, sent))


def observation(number: int, kind: str, name: str, **more: Any) -> dict[str, Any]:
    """An observation of Langfuse, one second each, below the first."""
    return {
        "id": f"{number:016x}",
        "traceId": "ab" * 16,
        "parentObservationId": None if number == 1 else f"{1:016x}",
        "type": kind,
        "name": name,
        "startTime": f"2026-11-20T10:00:{number:02}.000Z",
        "endTime": f"2026-11-20T10:00:{number + 1:02}.000Z",
        "level": "DEFAULT",
        "environment": "production",
        **more,
    }


CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": '{"path":"/"}'}}
REFUSED: Final = {"id": "call_2", "type": "function", "function": {"name": "rm", "arguments": "{}"}}
ATTRIBUTES: Final = json.dumps({"attributes": {"gen_ai.tool.call.id": "call_1", "gen_ai.tool.name": "ls"}})
OBSERVATIONS: Final = [
    observation(1, "AGENT", "clerk"),
    observation(
        2,
        "GENERATION",
        "chat",
        model="gpt-5",
        input=json.dumps([{"role": "system", "content": "be tidy"}, {"role": "user", "content": "tidy up"}]),
        output=json.dumps({"role": "assistant", "content": "", "additional_kwargs": {"tool_calls": [CALL, REFUSED]}}),
        usageDetails={"input": 10, "output": 2},
        costDetails={"total": 0.5},
    ),
    observation(3, "TOOL", "execute_tool ls", input='{"path":"/"}', output="a b", metadata=ATTRIBUTES),
    observation(4, "TOOL", "cp", input="{}", level="ERROR", statusMessage="no such file"),
    observation(
        5,
        "GENERATION",
        "chat",
        model="gpt-5",
        input={
            "messages": [
                {"role": "user", "content": "tidy up"},
                {"role": "assistant", "content": None, "tool_calls": [CALL, REFUSED]},
                {"role": "tool", "tool_call_id": "call_1", "content": "a b"},
                {"role": "tool", "tool_call_id": "call_2", "content": "Tool execution was not approved."},
            ]
        },
        output={"role": "assistant", "content": "done"},
    ),
]
TRACE: Final = {
    "id": "ab" * 16,
    "timestamp": "2026-11-20T10:00:01Z",
    "sessionId": "s-1",
    "userId": "eve",
    "input": '"tidy up"',
}


@pytest.mark.parametrize(
    "export",
    [
        {"trace": TRACE, "observations": OBSERVATIONS},
        {**TRACE, "projectId": "p", "observations": OBSERVATIONS},
        [{**TRACE, "observations": OBSERVATIONS}],
        {"data": [{**TRACE, "observations": OBSERVATIONS}], "meta": {"page": 1}},
        {"data": OBSERVATIONS},
        OBSERVATIONS,
    ],
    ids=["of the UI", "of the API", "traces", "a page of traces", "a page of observations", "observations"],
)
def test_an_export_of_langfuse_tells_what_its_observations_hold(tmp_path: Path, export: Any) -> None:
    """However it was exported; without the trace, its user and session are not known."""
    path = tmp_path / "export.json"
    path.write_text(json.dumps(export, indent=1))
    analysis = frames.of_files(path, path).analysis()
    assert analysis.calls.sort("first_ns", "tool_name").select(*COLUMNS[:4], "tool_call_id", "reason").rows() == [
        ("ls", "executed", None, "explicit", "call_1", None),
        ("rm", "denied", "human", "inferred", "call_2", "Tool execution was not approved."),
        ("cp", "failed", None, "explicit", None, "no such file"),
    ]
    known = "trace" in str(export)[:9] or "sessionId" in str(export)
    assert analysis.runs.select(
        "agent_name", "model", "conversation_id", "user_id", "input_tokens", "cost_usd", "environment", "prompt"
    ).rows() == [
        (
            "clerk",
            "gpt-5",
            *(("s-1", "eve") if known else (None, None)),
            10,
            0.5,
            "production",
            "tidy up" if known else None,
        )
    ]
