"""What a record carries of what was read of it before its content was left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.ingest import carried, records
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redact_tokens import READING, Tokens
from aftertrace.ingest.redaction_policy import Capture, make_policy
from aftertrace.store.request import Request

from .dialects.recordings import whole_rows

KEY = b"k" * 32
CANARY = "the canary sings hunter2"
REFUSED = f"User rejected the tool call for `pay` with id c-1: {CANARY}"
GONE = "[[left-out:metadata-only]]"
ASKED = {"amount": 900, "to": CANARY}


def told(*calls: str, answer: str = REFUSED, arguments: Any = ASKED, **more: str) -> dict[str, str]:
    """The attributes of a model call that is given an answer to each call of the turn before."""
    proposed = [{"type": "tool_call", "id": call, "name": "pay", "arguments": arguments} for call in calls]
    answered = [{"type": "tool_call_response", "id": call, "response": answer} for call in calls]
    history = [{"role": "assistant", "parts": proposed}, {"role": "tool", "parts": answered}]
    return {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(history), **more}


def kept(attributes: dict[str, str], mode: Capture, **policy: Any) -> Span:
    """The span of these attributes as it is stored."""
    pairs = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()]
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="chat m", attributes=pairs)
    body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])
    prepare = make_prepare(make_policy(capture=mode, **policy), limits=Limits(), key=KEY)
    stored = prepare(Request("traces", "protobuf", body.SerializeToString(), "anonymous", 1))
    return ExportTraceServiceRequest.FromString(stored.payload).resource_spans[0].scope_spans[0].spans[0]


def decoded(span: Span) -> records.Span:
    """The span as it is read from the store."""
    return records.span(span.SerializeToString(), records.Origin(resource={}))


def events(span: Span) -> list[dict[str, Any]]:
    """What rows of `events` say of it."""
    columns = ("event", "state", "tool_name", "call_id", "decided_by", "rule", "arguments", "reason")
    return [{name: row[name] for name in columns if row[name] is not None} for row in whole_rows(decoded(span))[1]]


REJECTED = {
    "event": "tool.called",
    "state": "refused",
    "tool_name": "pay",
    "call_id": "c-1",
    "decided_by": "human",
    "rule": "text:langchain_rejected",
}
ECHOED = {"event": "action.proposed", "state": "echoed", "tool_name": "pay", "call_id": "c-1"}


def test_a_refusal_that_is_nothing_but_a_text_is_told_without_it() -> None:
    """By whom, and by which wording; nothing of its text or of the arguments is kept."""
    span = kept(told("c-1"), "metadata-only")
    assert events(span) == [ECHOED, REJECTED]
    assert CANARY.encode() not in span.SerializeToString()


def test_digests_tell_which_arguments_are_equal() -> None:
    """However the emitter writes them: what its dialect read is compared, of keys in any order, as text or as JSON."""
    mark = Tokens(KEY).left_out("digest-only", json.dumps(ASKED, separators=(",", ":")).encode())
    stands = json.dumps({"aftertrace.cut": {"begins": "", "digest": mark}}, separators=(",", ":"))
    for arguments in (ASKED, json.dumps(ASKED), dict(reversed(ASKED.items()))):
        span = kept(told("c-1", answer="done", arguments=arguments), "digest-only")
        _, (echoed, answered) = whole_rows(decoded(span))
        assert (echoed["arguments"], answered["state"]) == (stands, "answered")
        assert CANARY.encode() not in span.SerializeToString()
    other = kept(told("c-1", arguments={**ASKED, "amount": 901}), "digest-only")
    assert whole_rows(decoded(other))[1][0]["arguments_digest"] != echoed["arguments_digest"]
    assert events(kept(told("c-1", arguments={}), "digest-only"))[0] == {**ECHOED, "arguments": "{}"}


def test_what_is_drawn_for_a_secret_makes_no_arguments_differ() -> None:
    """A card has another token each time, in what is kept and in what is left out."""
    card = {"card": "4111 1111 1111 1111"}
    for mode in ("full", "digest-only"):
        spans = [kept(told("c-1", arguments=card), mode, rules_on=["card"]) for _ in range(2)]
        first, second = (whole_rows(decoded(span))[1][0]["arguments_digest"] for span in spans)
        assert (first, len({span.SerializeToString() for span in spans})) == (second, 2 if mode == "full" else 1)


@pytest.mark.parametrize("mode", ["digest-only", "metadata-only"])
def test_what_a_sender_writes_in_its_place_is_not_kept(mode: Capture) -> None:
    """Nor read, where content is kept."""
    forged = json.dumps({"dialect": "genai", "who": {}, "events": [], "operation": CANARY})
    span = kept(told("c-1", **{READING: forged}), mode)
    alone = kept({READING: forged}, mode)
    assert not any(CANARY.encode() in each.SerializeToString() for each in (span, alone))
    assert [event["event"] for event in events(span)] == ["action.proposed", "tool.called"]
    full = kept(told("c-1", **{READING: forged}), "full")
    assert [event["event"] for event in events(full)] == ["action.proposed", "tool.called"]


@pytest.mark.parametrize(
    "written", ["", "{", "[]", '{"dialect": 1}', '{"dialect":"x","who":{},"events":[{"basis":1}]}']
)
def test_what_is_no_reading_is_read_anew_and_no_mark_is_a_name(written: str) -> None:
    """As of stores that were written before records carried anything: arguments are not known, and texts not judged."""
    span = kept(told("c-1"), "metadata-only")
    for pair in span.attributes:
        if pair.key == READING:
            pair.value.string_value = written
        elif pair.key == "gen_ai.input.messages":
            part = {"type": "tool_call", "id": GONE, "name": GONE, "arguments": {"to": GONE}}
            named = {"type": "tool_call", "id": "c-1", "name": "pay", "arguments": {"to": GONE}}
            pair.value.string_value = json.dumps([{"role": "assistant", "parts": [part, named]}])
    assert events(span) == [ECHOED]


def test_events_beyond_the_room_are_counted_as_cut() -> None:
    """A record carries at most some times what it had: of a thousand short calls each would be a long event."""
    calls = [{"type": "tool_call", "name": "p", "arguments": "x"} for _ in range(1_000)]
    written = json.dumps([{"role": "assistant", "parts": calls}])
    span = kept({"gen_ai.operation.name": "chat", "gen_ai.output.messages": written}, "digest-only")
    record = decoded(span)
    found = len(whole_rows(record)[1])
    assert record.flags == ["left_out:1000", f"cut_events:{1_000 - found}"]
    assert (found < 1_000, len(record.carried or "") < 2.1 * len(written) + 4096) == (True, True)


def test_a_record_on_which_its_dialect_fails_carries_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stored all the same, and told of by the drain."""

    def fail(_: object) -> None:
        raise TypeError

    monkeypatch.setattr(carried.dialects, "read", fail)
    assert READING not in {pair.key for pair in kept(told("c-1"), "metadata-only").attributes}


NAMES = st.sampled_from(["pay", "read_db", "", "x y", "é", None, 7])
IDS = st.sampled_from(["c-1", "c-2", "", None])
TEXTS = st.sampled_from(
    [REFUSED, "Tool not found", "done", "", "null", "[1]", '{"error": "Unknown tool: x"}', "{", "\ud800"]
)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "denied", "to"]), inner),
    max_leaves=4,
)
CALLS = st.fixed_dictionaries({"type": st.just("tool_call"), "id": IDS, "name": NAMES, "arguments": VALUES})
ANSWERS = st.fixed_dictionaries({"type": st.just("tool_call_response"), "id": IDS, "response": VALUES})
PARTS = CALLS | ANSWERS | st.fixed_dictionaries({"type": st.just("text"), "content": VALUES}) | VALUES
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", 1]), "parts": st.lists(PARTS, max_size=4) | VALUES}
    ),
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(MESSAGES, MESSAGES, st.sampled_from(["digest-only", "metadata-only"]))
def test_whatever_messages_hold_the_same_is_told_of_their_calls(given_: Any, made: Any, mode: Capture) -> None:
    """With their content and without: which calls, in which order, and what became of them by whose word."""
    about = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(given_)}
    attributes = {**about, "gen_ai.output.messages": json.dumps(made)}
    told = []
    for each in ("full", mode):
        _, rows = whole_rows(decoded(kept(attributes, each)))
        told.append([{name: row[name] for name in STATED} for row in rows])
    assert told[1] == told[0]


STATED = ("event", "state", "tool_name", "call_id", "position", "group", "basis", "decided_by", "rule", "ordinal")


def test_a_record_of_which_nothing_is_left_out_carries_nothing() -> None:
    """It is read as it is."""
    span = kept({"gen_ai.operation.name": "chat"}, "metadata-only")
    assert [pair.key for pair in span.attributes] == ["gen_ai.operation.name"]
