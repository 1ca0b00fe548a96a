"""Dialects: one small pure module for each way in which agents report.

A dialect is a module with

- ``NAME``: what `spans.dialect` and `events.dialect` hold;
- ``READS``: the table of what it reads, from which the docs are made;
- ``read(record)``: a `Reading`, or None when the record is not of this dialect.

A dialect looks at one record alone. It never drops: what it does not know stays in the evidence and, if short, in
`attributes`. The first dialect of `DIALECTS` that answers wins; `plain` takes what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from aftertrace.ingest.records import Record

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


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect, as its module declares it."""

    name: str
    reads: tuple[tuple[str, str], ...]
    """Where it looks, and what that becomes: `("log tool_decision: decision", "policy.evaluated: state")`."""
    read: Callable[[Record], Reading | None]


DIALECTS: Final = (
    Dialect(aftertrace_events.NAME, aftertrace_events.READS, aftertrace_events.read),
    Dialect(claude_code_session.NAME, claude_code_session.READS, claude_code_session.read),
    Dialect(openai_messages.NAME, openai_messages.READS, openai_messages.read),
    Dialect(anthropic_messages.NAME, anthropic_messages.READS, anthropic_messages.read),
    Dialect(inspect_log.NAME, inspect_log.READS, inspect_log.read),
    Dialect(langfuse.NAME, langfuse.READS, langfuse.read),
    Dialect(langfuse_sdk.NAME, langfuse_sdk.READS, langfuse_sdk.read),
    Dialect(claude_code.NAME, claude_code.READS, claude_code.read),
    Dialect(codex.NAME, codex.READS, codex.read),
    Dialect(copilot.NAME, copilot.READS, copilot.read),
    Dialect(google_adk.NAME, google_adk.READS, google_adk.read),
    Dialect(mcp.NAME, mcp.READS, mcp.read),
    Dialect(strands.NAME, strands.READS, strands.read),
    Dialect(gemini.NAME, gemini.READS, gemini.read),
    Dialect(opencode.NAME, opencode.READS, opencode.read),
    Dialect(ai_sdk.NAME, ai_sdk.READS, ai_sdk.read),
    Dialect(mastra.NAME, mastra.READS, mastra.read),
    Dialect(crewai.NAME, crewai.READS, crewai.read),
    Dialect(openinference.NAME, openinference.READS, openinference.read),
    Dialect(openai_agents.NAME, openai_agents.READS, openai_agents.read),
    Dialect(openllmetry.NAME, openllmetry.READS, openllmetry.read),
    Dialect(langsmith.NAME, langsmith.READS, langsmith.read),
    Dialect(logfire.NAME, logfire.READS, logfire.read),
    Dialect(laminar.NAME, laminar.READS, laminar.read),
    Dialect(cline.NAME, cline.READS, cline.read),
    Dialect(gateway.NAME, gateway.READS, gateway.read),
    Dialect(goose.NAME, goose.READS, goose.read),
    Dialect(vscode_copilot.NAME, vscode_copilot.READS, vscode_copilot.read),
    Dialect(genai.NAME, genai.READS, genai.read),
    Dialect(plain.NAME, plain.READS, plain.read),
)
"""Every dialect, in the order in which they are asked."""


def read(record: Record) -> Reading:
    """Read a record with the first dialect that knows it; `plain` knows every record."""
    for dialect in DIALECTS:
        reading = dialect.read(record)
        if reading is not None:
            return reading
    raise AssertionError("the plain dialect reads every record")
