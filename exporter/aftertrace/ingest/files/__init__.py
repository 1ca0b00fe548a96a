"""Files that `aftertrace import` reads: recorded OTLP, and logs that were written by agents that never reported it.

A format is known by its content. What is no OTLP becomes OTLP here, piece by piece: each piece of a file (a line, a
message, an event) becomes one record that holds it word for word, with what the piece does not say itself in
attributes that depend on nothing that comes after it. So a record is the same whenever its piece is read, and a file
that went on can be imported again. What a piece means is said by its dialect, as for any other record.
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from aftertrace.ingest.files import claude_code, inspect_log, langfuse, messages, otlp, phoenix, pieces
from aftertrace.ingest.files.item import Item, Made, Refused, packed
from aftertrace.ingest.files.opened import HEAD_BYTES, STANDARD_INPUT, Opened, opened
from aftertrace.ingest.files.pieces import Look
from aftertrace.store.errors import Invalid
from aftertrace.store.request import Signal

__all__ = ["FORMATS", "STANDARD_INPUT", "Format", "Item", "Opened", "Refused", "opened", "read"]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that is no OTLP."""

    name: str
    title: str
    """What it is, for people."""
    found: str
    """Where it is found, or what its content looks like."""
    dialects: tuple[str, ...]
    """Who reads its records."""
    hides: str
    """What it cannot tell."""
    is_of: Callable[[Look], bool]
    read: Callable[[Opened, Look], Iterator[Made | Refused]]


FORMATS: Final = (
    Format(
        name="claude-code-session",
        title="session files of Claude Code",
        found="`~/.claude/projects/*/*.jsonl`: lines with `sessionId` and `uuid`",
        dialects=("claude_code_session",),
        hides="rules and hooks that let a call through; how long a person took; the system prompt and the tools",
        is_of=claude_code.is_session,
        read=claude_code.read,
    ),
    Format(
        name="inspect",
        title="logs of Inspect",
        found="`logs/*.eval` and `*.json` of the evaluation framework: samples with their events",
        dialects=("inspect",),
        hides="which person approved; what a custom approver is, which counts as policy; how long an approver took "
        "beyond the time since the event before",
        is_of=inspect_log.is_log,
        read=inspect_log.read,
    ),
    Format(
        name="langfuse",
        title="exports of Langfuse",
        found="traces with `observations`, or observations, as its UI and its API export them",
        dialects=("langfuse",),
        hides="approvals; what Langfuse did not keep of the spans that it was sent; calls of model APIs whose messages "
        "it keeps as text",
        is_of=langfuse.is_export,
        read=langfuse.read,
    ),
    Format(
        name="phoenix",
        title="exports of Phoenix",
        found='spans of its REST API (`{"data": […]}`) or of a data frame, as JSON list or lines',
        dialects=("openinference",),
        hides="the instrumentation and the service that sent a span",
        is_of=phoenix.is_export,
        read=phoenix.read,
    ),
    Format(
        name="messages",
        title="plain message logs of OpenAI's and Anthropic's APIs",
        found='`{"messages": […]}`, messages or items a line or in a list, `{"request": …, "response": …}`, stored '
        "responses, files of both batch APIs",
        dialects=("openai_messages", "anthropic_messages"),
        hides="whether a tool ran, beyond what the model was told; who decided, except for approvals of remote MCP "
        "tools; times, unless the log adds them; which agent it was; where the log ends, whether the run did",
        is_of=messages.is_log,
        read=messages.read,
    ),
)
"""In the order in which they are asked."""


_DEFECTS: Final = (
    ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, struct.error,
    lzma.LZMAError, msgspec.MsgspecError,
)  # fmt: skip
"""What a reader raises that does not expect what a file holds; a disk that fails is no defect."""


def read(source: Opened, signal: Signal | None = None) -> Iterator[Item | Refused]:
    """The requests of a file, in order, and the places where it holds something else.

    A file that breaks a format's reader is refused by its name as any other is: those beside it are still read.

    Args:
        source: the file.
        signal: of a protobuf file; None reads it from the file's name.

    Raises:
        Invalid: it is of no known format, or from some point on it cannot be read.
    """
    try:
        yield from _read(source, signal)
    except Invalid:
        raise
    except _DEFECTS as error:
        what = f"{type(error).__name__} while it was read, a defect of aftertrace"
        raise Invalid(f"read {source.name}: {what}; what stands before that place is read") from error


def _read(source: Opened, signal: Signal | None) -> Iterator[Item | Refused]:
    if not source.head:
        return iter(())
    look = pieces.look(source.head, is_whole=len(source.head) < HEAD_BYTES)
    if otlp.is_json(look):
        return otlp.read(source, look)
    for known in FORMATS:
        if known.is_of(look):
            return packed(known.read(source, look))
    if signal is not None or otlp.is_protobuf(source.head):
        return otlp.read_protobuf(source, signal)
    names = ", ".join(["OTLP (JSON, or length-delimited protobuf with --signal)", *(known.title for known in FORMATS)])
    raise Invalid(f"read {source.name}: of no known format, expected one of: {names}")
