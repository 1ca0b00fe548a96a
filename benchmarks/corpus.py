"""Requests to measure with: agent spans of about 2 KB and 20 attributes, made from a seed.

A request is a template whose ids are replaced, so that making the next one costs almost nothing beside sending it,
and so that no two requests share a trace, a span, a conversation or a call: some systems keep one span of an id. Words
are drawn from a made-up vocabulary; real text compresses otherwise.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS: Final = 512
TRACES: Final = 8
TEMPLATES: Final = 24
LONG_SHARE: Final = 0.12
"""Share of the spans that carry a text of more than 2 KB."""

_EPOCH_NS: Final = 1_790_000_000 * 10**9
_TRACE_ID: Final = struct.Struct(">8sII")
_MARK: Final = b"\xf1BENCH\xf2\xf3"
_NUMBER: Final = "<number>"
"""Stands in the ids of conversations, calls and answers for the request's number: what comes again would be one
conversation that never ends."""
_SPAN_ID_BYTES: Final = 18
"""From the start of a span's trace id to that of its span id, in protobuf: a tag and a length lie between."""

Request: TypeAlias = tuple[bytes, list[str]]
"""A body, and its trace ids."""


@dataclass(frozen=True, slots=True)
class Template:
    """Bytes of a request, and where each span's trace id stands in them."""

    content: bytes
    offsets: tuple[int, ...]

    @property
    def spans(self) -> int:
        """How many it holds."""
        return len(self.offsets)

    def request(self, number: int) -> Request:
        """The request of that number: its bytes and its trace ids, which no other number has."""
        content = bytearray(self.content.replace(_NUMBER.encode(), b"%08x" % _spread(number)))
        ids = [_TRACE_ID.pack(b"aftbench", number, trace) for trace in range(TRACES)]
        own = struct.pack(">I", number)
        for index, offset in enumerate(self.offsets):
            content[offset : offset + 16] = ids[index * TRACES // self.spans]
            # The other half of a span id is the template's.
            content[offset + _SPAN_ID_BYTES : offset + _SPAN_ID_BYTES + 4] = own
        return bytes(content), [trace_id.hex() for trace_id in ids]


def templates(spans: int = SPANS, seed: int = 1) -> list[Template]:
    """The requests that all others are made from; as many spans of them in all, whatever one holds."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 11))) for _ in range(6000)]
    return [_template(rng, words, spans) for _ in range(TEMPLATES * SPANS // spans)]


def requests(made_from: Sequence[Template]) -> Iterator[Request]:
    """Requests without end, each with ids of its own."""
    return (made_from[number % len(made_from)].request(number) for number in itertools.count())


def _template(rng: random.Random, words: list[str], spans: int) -> Template:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for key, text in (
        ("service.name", f"agent-{rng.randint(1, 9)}"),
        ("service.version", "1.4.2"),
        ("deployment.environment.name", "production"),
        ("telemetry.sdk.language", "python"),
        ("telemetry.sdk.name", "opentelemetry"),
    ):
        resource.resource.attributes.add(key=key).value.string_value = text
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.genai"
    scope.spans.extend(_span(rng, words, index, index * TRACES // spans) for index in range(spans))
    content = request.SerializeToString()
    offsets = _offsets(content)
    assert len(offsets) == spans
    return Template(content, tuple(offsets))


def _span(rng: random.Random, words: list[str], index: int, trace: int) -> Span:
    kind = rng.choice(("chat", "execute_tool", "invoke_agent", "chat", "execute_tool"))
    start_ns = _EPOCH_NS + index * 10**6
    span = Span(
        trace_id=_TRACE_ID.pack(_MARK, 0, trace),
        span_id=bytes(4) + _distinct(rng, index),
        parent_span_id=rng.randbytes(8),
        name=f"{kind} {rng.choice(words)}",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + rng.randint(10**5, 10**10),
    )
    texts = {
        "gen_ai.operation.name": kind,
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": words[trace],
        "gen_ai.agent.id": f"asst_{rng.randbytes(8).hex()}",
        "gen_ai.conversation.id": f"conv_{_NUMBER}{_spread(trace):08x}",
        "gen_ai.request.model": "gpt-5.2",
        "gen_ai.response.model": "gpt-5.2-2026-08-07",
        "gen_ai.response.id": f"resp_{_NUMBER}{rng.randbytes(8).hex()}",
        "user.id": f"user-{rng.randint(1, 5000)}",
        "session.id": f"{_NUMBER}{_spread(trace):08x}{_spread(~trace):08x}{_spread(trace + TRACES):08x}",
    }
    if kind == "execute_tool":
        texts |= {
            "gen_ai.tool.name": rng.choice(words),
            "gen_ai.tool.call.id": f"call_{_NUMBER}{rng.randbytes(5).hex()}",
            "gen_ai.tool.call.arguments": f'{{"query": "{_text(rng, words, 25)}"}}',
            "gen_ai.tool.call.result": _text(rng, words, 80),
        }
    else:
        texts |= {
            "gen_ai.input.messages": _messages(rng, words, "user", 70),
            "gen_ai.output.messages": _messages(rng, words, "assistant", 40),
        }
    if rng.random() < LONG_SHARE:
        texts["gen_ai.system_instructions"] = _text(rng, words, rng.randint(320, 700))
    for key, text in texts.items():
        span.attributes.add(key=key).value.string_value = text
    for key in ("input_tokens", "output_tokens", "cache_read.input_tokens"):
        span.attributes.add(key=f"gen_ai.usage.{key}").value.int_value = rng.randint(1, 90_000)
    span.attributes.add(key="gen_ai.request.temperature").value.double_value = rng.random()
    span.attributes.add(key="gen_ai.response.finish_reasons").value.array_value.values.add().string_value = "stop"
    return span


def _spread(number: int) -> int:
    """Another number for each one below 2^32, whose digits look like those of ids."""
    return number * 0x9E3779B1 + 0x85EBCA6B & 0xFFFFFFFF


def _distinct(rng: random.Random, index: int) -> bytes:
    """Four bytes that no other index below 512 gets."""
    return struct.pack(">I", rng.getrandbits(23) << 9 | index)


def _text(rng: random.Random, words: list[str], length: int) -> str:
    return " ".join(rng.choices(words, k=length))


def _messages(rng: random.Random, words: list[str], role: str, length: int) -> str:
    return f'[{{"role":"{role}","parts":[{{"type":"text","content":"{_text(rng, words, length)}"}}]}}]'


def _offsets(content: bytes) -> list[int]:
    found: list[int] = []
    start = content.find(_MARK)
    while start >= 0:
        found.append(start)
        start = content.find(_MARK, start + 1)
    return found
