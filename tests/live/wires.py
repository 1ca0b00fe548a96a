"""How a model's turn is put on four wires: Anthropic Messages, OpenAI Responses, OpenAI chat completions, Gemini.

Each function gives the events of a stream in order; the last one of `whole_…` is the answer in one piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from .script import ToolCall, Turn

Json: TypeAlias = dict[str, Any]
Event: TypeAlias = tuple[str, Json]
"""Name of a server-sent event (empty: it has none) and its data."""

INPUT_TOKENS: Final = 1200
OUTPUT_TOKENS: Final = 40
_CREATED_S: Final = 1_790_000_000


def messages_whole(turn: Turn, model: str, number: int) -> Json:
    """The turn as an Anthropic message."""
    content: list[Json] = [{"type": "text", "text": turn.said}]
    content += [{"type": "tool_use", "id": c.call_id, "name": c.name, "input": c.arguments} for c in turn.calls]
    return {
        "id": f"msg_scripted_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if turn.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def messages_stream(turn: Turn, model: str, number: int) -> Iterator[Event]:
    """The turn as the events of an Anthropic stream."""
    whole = messages_whole(turn, model, number)
    yield _typed("message_start", message=whole | {"content": [], "stop_reason": None})
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            empty, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            told = json.dumps(block["input"])
            empty, delta = block | {"input": {}}, {"type": "input_json_delta", "partial_json": told}
        yield _typed("content_block_start", index=index, content_block=empty)
        yield _typed("content_block_delta", index=index, delta=delta)
        yield _typed("content_block_stop", index=index)
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _typed("message_delta", delta=ended, usage={"output_tokens": OUTPUT_TOKENS})
    yield _typed("message_stop")


def responses_whole(turn: Turn, model: str, number: int) -> Json:
    """The turn as a response of OpenAI's Responses."""
    part = {"type": "output_text", "text": turn.said, "annotations": []}
    output: list[Json] = [
        {
            "type": "message",
            "id": f"msg_scripted_{number}",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
    ]
    for call in turn.calls:
        if call.by_provider:
            action = {"type": "search", **call.arguments}
            output.append({"type": f"{call.name}_call", "id": call.call_id, "status": "completed", "action": action})
            continue
        item = {
            "type": "function_call",
            "id": f"fc_{call.call_id}",
            "call_id": call.call_id,
            "name": call.name,
            "arguments": json.dumps(call.arguments),
            "status": "completed",
        }
        output.append(item if call.namespace is None else item | {"namespace": call.namespace})
    return {
        "id": f"resp_scripted_{number}",
        "object": "response",
        "created_at": _CREATED_S,
        "status": "completed",
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": OUTPUT_TOKENS,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        },
    }


def responses_stream(turn: Turn, model: str, number: int) -> Iterator[Event]:
    """The turn as the events of a stream of OpenAI's Responses."""
    whole = responses_whole(turn, model, number)
    opened = whole | {"output": [], "status": "in_progress", "usage": None}
    events: list[Event] = [_typed("response.created", response=opened)]
    for index, item in enumerate(whole["output"]):
        events.append(_typed("response.output_item.added", output_index=index, item=_begun(item)))
        events += _item_deltas(item, index)
        events.append(_typed("response.output_item.done", output_index=index, item=item))
    events.append(_typed("response.completed", response=whole))
    for sequence, (name, data) in enumerate(events):
        yield name, data | {"sequence_number": sequence}


def _begun(item: Json) -> Json:
    empty: Json = {name: "" if name == "arguments" else [] for name in ("content", "arguments") if name in item}
    return item | empty | {"status": "in_progress"}


def _item_deltas(item: Json, index: int) -> list[Event]:
    at = {"item_id": item["id"], "output_index": index}
    if "action" in item:
        return []
    if item["type"] != "message":
        told = item["arguments"]
        return [
            _typed("response.function_call_arguments.delta", **at, delta=told),
            _typed("response.function_call_arguments.done", **at, arguments=told, name=item["name"]),
        ]
    part, inside = item["content"][0], {**at, "content_index": 0}
    return [
        _typed("response.content_part.added", **inside, part=part | {"text": ""}),
        _typed("response.output_text.delta", **inside, delta=part["text"], logprobs=[]),
        _typed("response.output_text.done", **inside, text=part["text"], logprobs=[]),
        _typed("response.content_part.done", **inside, part=part),
    ]


def chat_whole(turn: Turn, model: str, number: int) -> Json:
    """The turn as a chat completion."""
    message: Json = {"role": "assistant", "content": turn.said}
    if turn.calls:
        message["tool_calls"] = [_chat_call(call) for call in turn.calls]
    choice = {"index": 0, "message": message, "finish_reason": _finish(turn), "logprobs": None}
    return _chat(model, number) | {"object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


def chat_stream(turn: Turn, model: str, number: int) -> Iterator[Event]:
    """The turn as the chunks of a chat completion; the caller ends the stream with `[DONE]`."""
    head = _chat(model, number) | {"object": "chat.completion.chunk"}
    yield "", head | {"choices": [_chunk({"role": "assistant", "content": turn.said})]}
    for index, call in enumerate(turn.calls):
        yield "", head | {"choices": [_chunk({"tool_calls": [{"index": index, **_chat_call(call)}]})]}
    yield "", head | {"choices": [_chunk({}, _finish(turn))]}
    yield "", head | {"choices": [], "usage": _CHAT_USAGE}


_CHAT_USAGE: Final = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _chat(model: str, number: int) -> Json:
    return {"id": f"chatcmpl-scripted-{number}", "created": _CREATED_S, "model": model}


def _chat_call(call: ToolCall) -> Json:
    told = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": call.call_id, "type": "function", "function": told}


def _chunk(delta: Json, finish: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _finish(turn: Turn) -> str:
    return "tool_calls" if turn.calls else "stop"


def gemini_whole(turn: Turn, model: str, number: int) -> Json:
    """The turn as Gemini's `generateContent` answers."""
    parts: list[Json] = [{"text": turn.said}]
    parts += [{"functionCall": {"id": c.call_id, "name": c.name, "args": c.arguments}} for c in turn.calls]
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        },
        "modelVersion": model,
        "responseId": f"scripted-{number}",
    }


def gemini_stream(turn: Turn, model: str, number: int) -> Iterator[Event]:
    """The turn as `streamGenerateContent` answers: in one chunk."""
    yield "", gemini_whole(turn, model, number)


def _typed(kind: str, **members: Any) -> Event:
    return kind, {"type": kind, **members}
