"""Large content by reference: which goes, that all of it comes back, and that nothing of it is on the disk in clear."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from analyzer import frames
from analyzer.test_fixtures import recordings
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from polars.testing import assert_frame_equal

from aftertrace.analyzer.opening import open_analysis
from aftertrace.ingest import otlp_json, records
from aftertrace.ingest.by_reference import RULE, Apart, GivingBack, Taking, whole
from aftertrace.ingest.carried import records_in
from aftertrace.ingest.redact_tokens import NOTE
from aftertrace.ingest.wire import split
from aftertrace.store import durable
from aftertrace.store.blobs import reference
from aftertrace.store.blobs.blobs import Content
from aftertrace.store.errors import Unavailable
from aftertrace.store.folder import store_key
from aftertrace.store.request import Request

from .canaries import files_with
from .dialects.recordings import whole_rows
from .drain_samples import DAY_NS, NOON_NS, drain, new_store, stored
from .referring import ANSWER, ASKED, AT_LEAST, CANARY, PROMPT, RESULT, conversation, preparing, refer, spans_of
from .referring import tool_call as called

KEY = bytes(32)
DAY = date(2025, 11, 25)
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": conversation()}


def taken(message: Any, at_least: int = AT_LEAST, key: bytes = KEY) -> list[Content]:
    """What goes of a request, which is changed."""
    return Taking(key, at_least).take(message, Request("traces", "protobuf", b"", "anonymous", NOON_NS))


def texts(*attributes: dict[str, str]) -> set[str]:
    """What goes of spans."""
    return {content.text.decode() for content in taken(TracesData.FromString(spans_of(*attributes)))}


def apart_of(record: bytes, contents: list[Content]) -> list[Apart]:
    """What a record refers to."""
    held = {content.reference.name: content.text.decode() for content in contents}
    return [
        Apart(written, written, "", held[of.name], of.spelling)
        for written, of in dict(reference.found(record.decode("utf-8", "replace"), KEY)).items()
    ]


def given_back(record: bytes, contents: list[Content]) -> Span:
    """A span as it came, but for the note."""
    span = Span.FromString(whole("traces", record, apart_of(record, contents)))
    if span.attributes and span.attributes[-1].key == NOTE:
        del span.attributes[-1]
    return span


def test_results_and_what_the_model_said_go() -> None:
    """Wherever they stand; what was asked stays, by whomever."""
    assert texts(called(1)) == {RESULT}
    assert texts(CHAT) == {RESULT, ANSWER}


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.system_instructions": json.dumps([{"type": "text", "content": PROMPT}])},
        {"gen_ai.tool.definitions": json.dumps([{"type": "function", "parameters": ASKED}])},
        {"gen_ai.input.messages": json.dumps([{"role": "user", "content": PROMPT}])},
        {"openinference.span.kind": "TOOL", "tool.name": "write", "input.value": json.dumps(ASKED)},
        {"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": PROMPT},
        {"gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": PROMPT},
        {**called(1), "gen_ai.tool.call.result": json.dumps(ASKED)},
        {"gen_ai.input.messages": conversation(result="no", answer="no")},
        {"an.attribute": PROMPT},
        called(1, "short"),
    ],
)  # fmt: skip
def test_what_was_asked_or_shown_stays(attributes: dict[str, str]) -> None:
    """Prompts, instructions, schemas and arguments, also where a tool gives them back; and what is short."""
    assert texts(attributes) == set()


@pytest.mark.parametrize(
    "attributes",
    [
        {"llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": RESULT},
        {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": RESULT},
        {"openinference.span.kind": "TOOL", "tool.name": "read", "output.value": RESULT},
        {"retrieval.documents.0.document.content": RESULT},
        {"traceloop.span.kind": "tool", "traceloop.entity.output": json.dumps({"output": RESULT})},
        {"ai.response.text": RESULT},
        {"input.value": json.dumps({"messages": [{"type": "tool_result", "content": RESULT}]})},
        {"output.value": json.dumps({"kwargs": {"type": "ai", "content": RESULT}}, ensure_ascii=False)},
        {"output.value": json.dumps({"inner": json.dumps({"role": "tool", "content": RESULT})})},
    ],
)
def test_forms_of_other_instrumentations_are_known(attributes: dict[str, str]) -> None:
    """By keys, by roles, at any depth."""
    message = TracesData.FromString(spans_of(attributes))
    assert len(taken(message)) == 1
    assert CANARY.encode() not in message.SerializeToString()


def test_a_content_goes_wherever_its_record_has_it() -> None:
    """Also in the middle of another text, and escaped."""
    told = {**called(1), "note": f"Observation: {RESULT}!", "log": json.dumps({"seen": json.dumps([RESULT])})}
    message = TracesData.FromString(spans_of(told))
    contents = taken(message)
    record = message.resource_spans[0].scope_spans[0].spans[0]
    assert [content.text.decode() for content in contents] == [RESULT]
    assert CANARY.encode() not in record.SerializeToString()
    assert given_back(record.SerializeToString(), contents) == next(
        span for _, span in records_in(TracesData.FromString(spans_of(told)))
    )


def told(span: Span, apart: Sequence[Apart] = ()) -> list[dict[str, Any]]:
    """Rows of events, without what may be kept apart."""
    _, rows = whole_rows(records.span(span.SerializeToString(), records.Origin(resource={})), apart=apart)
    return [{name: row[name] for name in row if name not in ("content", "content_digest", "reason")} for row in rows]


def test_recordings_come_back_as_they_were() -> None:
    """Of every emitter that was recorded, byte for byte, with contents so short that many go; and tell the same."""
    gone = 0
    for _, path in recordings():
        for signal, _, body in frames.lines(path):
            if signal != "traces":
                continue
            message = otlp_json.decode(body, signal)
            before = [span.SerializeToString(deterministic=True) for _, span in records_in(message)]
            contents = taken(message, at_least=32)
            for (_, span), was in zip(records_in(message), before, strict=True):
                kept = span.SerializeToString()
                back = given_back(kept, contents)
                assert back.SerializeToString(deterministic=True) == was
                assert told(back, apart_of(kept, contents)) == told(Span.FromString(was))
            gone += len(contents)
    assert gone > 300


TEXTS = st.text(min_size=1, max_size=40).map(lambda text: text * 12)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS, st.booleans(), st.integers(0, 2))
def test_whatever_goes_comes_back(result: str, answer: str, is_ascii: bool, depth: int) -> None:
    """Any text, however it is written."""
    value: Any = {"role": "tool", "content": result, "more": [{"role": "assistant", "content": answer}]}
    for _ in range(depth + 1):
        value = json.dumps(value, ensure_ascii=is_ascii)
    message = TracesData.FromString(spans_of({"output.value": value, "gen_ai.tool.call.result": result, "x": answer}))
    before = [span.SerializeToString() for _, span in records_in(message)]
    contents = taken(message, at_least=24)
    after = [span.SerializeToString() for _, span in records_in(message)]
    assert [given_back(each, contents).SerializeToString() for each in after] == before


def test_a_store_has_references_and_blobs(tmp_path: Path) -> None:
    """Equal contents of a day are one blob; nothing of them is in clear below the folder, and readers show them."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(called(1)), spans_of(CHAT, trace=2))
    assert files_with(layout.data, CANARY.encode()) == []
    drain(layout)
    assert files_with(layout.data, CANARY.encode()) == []
    assert files_with(layout.data, b"what a person asks") != [], "the search must see what stays"
    assert len(list(layout.blobs.rglob("*.blob"))) == 2
    keys = list(layout.blob_key(DAY).parent.iterdir())
    assert [path.stat().st_mode & 0o777 for path in (*keys, *layout.blobs.rglob("*.blob"))] == [0o600] * 3
    rows = stored(layout)
    assert rows["evidence"]["redactions"].to_list() == [1, 2]
    returned = rows["events"].filter(pl.col("event") == "tool.called", pl.col("content").is_not_null())
    assert returned["content"].str.starts_with("[[by-reference:").to_list() == [True, True]
    assert returned["content_digest"].n_unique() == 1, "so that equal results can be joined"
    analysis = open_analysis(layout.data)
    shown = {
        call.result.begins for run in analysis.runs["run_id"] for call in analysis.record(run).calls if call.result
    }
    assert shown == {RESULT[:2048]}
    assert files_with(layout.data, CANARY.encode()) == []


def test_rows_are_those_of_full_capture_but_for_contents(tmp_path: Path) -> None:
    """The drain reads the whole record, so that what became of a call rests on all of it."""
    events = []
    for capture in ("full", "by-reference"):
        layout = new_store(tmp_path / capture)
        refer(layout, spans_of(called(1), CHAT), capture=capture)
        drain(layout)
        events.append(stored(layout)["events"].drop("content", "content_digest"))
    assert events[0].height == 3
    assert_frame_equal(*events)


def test_what_is_given_back_is_the_request(tmp_path: Path) -> None:
    """A record in `evidence` becomes what was sent, with the blobs of the store."""
    layout = new_store(tmp_path / "data")
    sent = spans_of(called(1), CHAT)
    refer(layout, sent)
    drain(layout)
    giving = GivingBack(layout, store_key(layout))
    records = stored(layout)["evidence"]["record"].to_list()
    back = [Span.FromString(whole("traces", record, giving.of(record))) for record in records]
    for span in back:
        assert span.attributes[-1].key == NOTE
        del span.attributes[-1]
    assert [span.SerializeToString() for span in back] == [part.record for part in split(sent, "traces")]


def test_equal_contents_of_two_days_have_keys_of_their_own(tmp_path: Path) -> None:
    """The digest is the same, so that they can be joined; what is destroyed with a day is not the other's."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(called(1)))
    refer(layout, spans_of(called(2), trace=2), received_ns=NOON_NS + DAY_NS)
    drain(layout)
    blobs = sorted(layout.blobs.rglob("*.blob"))
    assert (len(blobs), len({path.name for path in blobs})) == (2, 1)
    assert blobs[0].read_bytes() != blobs[1].read_bytes()


def test_the_day_of_a_content_is_that_of_its_record(tmp_path: Path) -> None:
    """To the last nanosecond: by another one nothing would need it."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(called(1)), received_ns=NOON_NS + DAY_NS // 2 - 1)
    drain(layout)
    (day,) = stored(layout)["evidence"]["received_date"]
    assert [path.parent.name for path in layout.blobs.rglob("*.blob")] == [day.isoformat()]


def test_a_reference_that_a_sender_writes_is_text(tmp_path: Path) -> None:
    """Nobody without the store's key can make one."""
    layout = new_store(tmp_path / "data")
    of = reference.Reference(
        next(iter([content.reference.day for content in taken(TracesData.FromString(spans_of(called(1))))])),
        "a" * 32,
        500,
    )
    forged = reference.written(of, b"another key")
    refer(layout, spans_of({**called(1), "note": forged}))
    drain(layout)
    (record,) = stored(layout)["evidence"]["record"]
    assert forged.encode() in record
    assert [apart.text for apart in GivingBack(layout, store_key(layout)).of(record)] == [RESULT]


def test_a_blob_that_cannot_be_written_is_no_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame is written that would refer to it; the sender tries again, and then both are there."""
    layout = new_store(tmp_path / "data")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "create_files", full)
        with pytest.raises(Unavailable, match="No space left"):
            refer(layout, spans_of(called(1)))
    drain(layout)
    assert stored(layout)["evidence"].is_empty()
    refer(layout, spans_of(called(1)))
    drain(layout)
    assert stored(layout)["evidence"].height == 1


def test_a_record_whose_blob_is_gone_is_stored_all_the_same(tmp_path: Path) -> None:
    """Of what it called is told what can be; its content is not judged."""
    layout = new_store(tmp_path / "data")
    refer(layout, spans_of(called(1)))
    for path in layout.blobs.rglob("*.blob"):
        path.unlink()
    drain(layout)
    (event,) = stored(layout)["events"].filter(pl.col("event") == "tool.called").iter_rows(named=True)
    assert (event["state"], event["content"][:15]) == ("completed", "[[by-reference:")


def test_other_sources_and_modes_are_as_before(tmp_path: Path) -> None:
    """Byte for byte: nothing is taken where nobody asked for it."""
    layout = new_store(tmp_path / "data")
    body = spans_of(called(1))
    prepared = preparing(layout, "full")(Request("traces", "protobuf", body, "anonymous", NOON_NS))
    assert (prepared.payload, prepared.contents, prepared.redactions) == (body, (), ())
    kept = preparing(layout)(Request("traces", "protobuf", body, "anonymous", NOON_NS))
    assert (kept.redactions, len(kept.contents)) == (((RULE, 1),), 1)
