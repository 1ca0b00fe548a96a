"""Dialects: one small pure module for each way in which agents report.

A dialect is a module with

- ``NAME``: what `spans.dialect` and `events.dialect` hold;
- ``READS``: the table of what it reads, from which the docs are made;
- ``read(record)``: a `Reading`, or None when the record is not of this dialect;
- ``may_read(outline)``, where it can be told from little: whether records of an `Outline` may be of this dialect.

A dialect looks at one record alone. It never drops: what it does not know stays in the evidence and, if short, in
`attributes`. The first dialect of `DIALECTS` that answers wins; `plain` takes what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from google.protobuf.message import DecodeError

from aftertrace.ingest.dialects import (
    aftertrace_events,
    ai_sdk,
    anthropic_messages,
    claude_code,
    claude_code_session,
    cline,
    codex,
    copilot,
    crewai,
    gateway,
    gemini,
    genai,
    google_adk,
    goose,
    inspect_log,
    laminar,
    langfuse,
    langfuse_sdk,
    langsmith,
    logfire,
    mastra,
    mcp,
    openai_agents,
    openai_messages,
    opencode,
    openinference,
    openllmetry,
    plain,
    strands,
    vscode_copilot,
)
from aftertrace.ingest.dialects.events import Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.records import Record, Span

FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    DecodeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a dialect can raise at a record that it was not written for. One such record must not stop the drain, since all
later ones would wait behind it; what the disk or the machine raises (OSError, MemoryError …) does stop it."""

_OUTLINES: Final = 512
_OUTLINE_KEYS: Final = 128
_OUTLINE_CHARACTERS: Final = 4_096
"""Larger outlines are not remembered: senders choose how many attributes there are, and what they are called."""


def _any(_: Outline) -> bool:
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """One dialect, as its module declares it."""

    name: str
    reads: tuple[tuple[str, str], ...]
    """Where it looks, and what that becomes: `("log tool_decision: decision", "policy.evaluated: state")`."""
    read: Callable[[Record], Reading | None]
    may_read: Callable[[Outline], bool] = _any
    """Of an outline for which this is False, `read` answers None."""


DIALECTS: Final = (
    Dialect(aftertrace_events.NAME, aftertrace_events.READS, aftertrace_events.read, aftertrace_events.may_read),
    Dialect(
        claude_code_session.NAME, claude_code_session.READS, claude_code_session.read, claude_code_session.may_read
    ),
    Dialect(openai_messages.NAME, openai_messages.READS, openai_messages.read, openai_messages.may_read),
    Dialect(anthropic_messages.NAME, anthropic_messages.READS, anthropic_messages.read, anthropic_messages.may_read),
    Dialect(inspect_log.NAME, inspect_log.READS, inspect_log.read, inspect_log.may_read),
    Dialect(langfuse.NAME, langfuse.READS, langfuse.read, langfuse.may_read),
    Dialect(langfuse_sdk.NAME, langfuse_sdk.READS, langfuse_sdk.read, langfuse_sdk.may_read),
    Dialect(claude_code.NAME, claude_code.READS, claude_code.read),
    Dialect(codex.NAME, codex.READS, codex.read, codex.may_read),
    Dialect(copilot.NAME, copilot.READS, copilot.read, copilot.may_read),
    Dialect(google_adk.NAME, google_adk.READS, google_adk.read, google_adk.may_read),
    Dialect(mcp.NAME, mcp.READS, mcp.read, mcp.may_read),
    Dialect(strands.NAME, strands.READS, strands.read, strands.may_read),
    Dialect(gemini.NAME, gemini.READS, gemini.read, gemini.may_read),
    Dialect(opencode.NAME, opencode.READS, opencode.read, opencode.may_read),
    Dialect(ai_sdk.NAME, ai_sdk.READS, ai_sdk.read, ai_sdk.may_read),
    Dialect(mastra.NAME, mastra.READS, mastra.read, mastra.may_read),
    Dialect(crewai.NAME, crewai.READS, crewai.read, crewai.may_read),
    Dialect(openinference.NAME, openinference.READS, openinference.read, openinference.may_read),
    Dialect(openai_agents.NAME, openai_agents.READS, openai_agents.read, openai_agents.may_read),
    Dialect(openllmetry.NAME, openllmetry.READS, openllmetry.read, openllmetry.may_read),
    Dialect(langsmith.NAME, langsmith.READS, langsmith.read, langsmith.may_read),
    Dialect(logfire.NAME, logfire.READS, logfire.read, logfire.may_read),
    Dialect(laminar.NAME, laminar.READS, laminar.read, laminar.may_read),
    Dialect(cline.NAME, cline.READS, cline.read, cline.may_read),
    Dialect(gateway.NAME, gateway.READS, gateway.read, gateway.may_read),
    Dialect(goose.NAME, goose.READS, goose.read, goose.may_read),
    Dialect(vscode_copilot.NAME, vscode_copilot.READS, vscode_copilot.read, vscode_copilot.may_read),
    Dialect(genai.NAME, genai.READS, genai.read, genai.may_read),
    Dialect(plain.NAME, plain.READS, plain.read),
)
"""Every dialect, in the order in which they are asked."""


def read(record: Record) -> Reading:
    """Read a record with the first dialect that knows it; `plain` knows every record."""
    for dialect in asked(record):
        reading = dialect.read(record)
        if reading is not None:
            return reading
    raise AssertionError("the plain dialect reads every record")


def asked(record: Record) -> Sequence[Dialect]:
    """The dialects that may know a record, in their order: most records are like others that came before."""
    origin, keys, is_span = record.origin, tuple(record.attributes), isinstance(record, Span)
    has_events = isinstance(record, Span) and bool(record.events)
    service = origin.resource.get("service.name")
    if not isinstance(service, str):
        service = None
    if len(keys) > _OUTLINE_KEYS or len("".join((origin.scope_name, service or "", *keys))) > _OUTLINE_CHARACTERS:
        return DIALECTS
    return _remembered(DIALECTS, is_span, origin.scope_name, service, has_events, keys)


@lru_cache(maxsize=_OUTLINES)
def _remembered(
    dialects: tuple[Dialect, ...],
    is_span: bool,
    scope: str,
    service: str | None,
    has_events: bool,
    keys: tuple[str, ...],
) -> tuple[Dialect, ...]:
    outline = Outline(is_span, scope, service, has_events, frozenset(keys))
    return tuple(dialect for dialect in dialects if dialect.may_read(outline))
