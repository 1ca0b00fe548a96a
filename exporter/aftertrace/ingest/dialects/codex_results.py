"""Results of Codex's tool calls: what `success` and `output` of the log event `tool_result` state.

`success` says whether the tool gave a result, not what came of it: a command that ended with an error has
``success="true"`` and its exit code in the head of `output`, which Codex writes before what the command printed. A
refusal is ``success="false"`` with a text. `duration_ms` holds the time for which a person was waited for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from aftertrace.ingest.dialects import messages, refusals, text_calls
from aftertrace.ingest.dialects.codex_decisions import HEADLESS
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.values import duration_ns, flag, text

if TYPE_CHECKING:
    from aftertrace.ingest.records import Log

INCLUDES_WAIT: Final = "includes_wait"
"""Attribute of an event that begins when the call was received, before anybody was asked about it."""
EXIT_CODE: Final = "exit_code"

_HEAD_CHARACTERS: Final = 8_000
_EXITED: Final = re.compile(
    r"(?:Chunk ID: \S*\n)?(?:Wall time: [\d.]+ seconds\n)?"
    r"(?:Process exited with code|Exit code:) (-?\d+)\n|"
    r'\{"output":.*"exit_code":\s*(-?\d+)',
    re.DOTALL,
)
_RAN: Final = re.compile(r"Chunk ID: |Wall time: [\d.]+ seconds\nOutput:|Process (exited|running) with |Exit code: ")
_REJECTED: Final = re.compile(
    r'exec_command failed\b.{0,8000}?CreateProcess \{ message: "Rejected\((\\*)"(.*?)\1"\)', re.DOTALL
)
"""How an error wraps the reason for which a command was not started."""
_CALLED_MCP: Final = re.compile(r"Wall time: [\d.]+ seconds\nOutput:\n")
"""Heads what an MCP server returned, and also what is said of a call that never reached it."""
_OF_CODEX: Final = ("codex_mcp_unasked", "codex_mcp_rejected", "codex_mcp_cancelled", "codex_reviewer", "codex_timeout")
"""Wordings that are Codex's own behind that head: any other is the server's."""
_ABORTED: Final = re.compile(r"(Wall time: [\d.]+ seconds\n)?aborted by user")


def result(log: Log, time_ns: int) -> Event:
    """The call as its result tells of it, from when it was received to `time_ns`."""
    attributes = log.attributes
    event = Event(
        event="tool.called",
        state="entered",
        time_ns=max(time_ns - (duration_ns(attributes.get("duration_ms")) or 0), 0),
        end_ns=time_ns,
        arguments=_arguments(attributes.get("arguments")),
        attributes={INCLUDES_WAIT: True},
    )
    server = text(attributes.get("mcp_server"))
    if server is not None:
        event.attributes["mcp_server"] = server
    output = text(attributes.get("output")) or ""
    success = flag(attributes.get("success"))
    if success:
        _complete(event, output)
    elif success is False:
        _fail(event, output, attributes.get("originator"))
    return event


def _arguments(given: Any) -> Any:
    return messages.load(given) if given != "" else None


def _complete(event: Event, output: str) -> None:
    event.state, event.content = "completed", output or None
    exited = _EXITED.match(output)
    if exited is not None and int(exited[1] or exited[2]):
        event.state, event.rule, event.reason = "failed", EXIT_CODE, output


def _fail(event: Event, output: str, originator: Any) -> None:
    event.state, event.reason = "failed", output or None
    head = output[:_HEAD_CHARACTERS]
    if _ABORTED.match(head):
        event.state, event.basis, event.rule = "cancelled", "inferred", "text:codex_aborted"
        return
    called = _CALLED_MCP.match(head)
    if called is not None:
        _refuse_mcp(event, output[called.end() :], originator)
        return
    if _RAN.match(head):
        return
    harness = next(iter(text_calls.told(head)), None)
    if harness is not None:
        event.state, event.decided_by = harness.state, harness.decided_by
        event.basis, event.rule = harness.basis, harness.rule
        return
    rejected = _REJECTED.match(head)
    told = output if rejected is None else rejected[2]
    verdict = refusals.classify(told)
    if verdict is not None and verdict.state in ("refused", "unknown_tool", "invalid_arguments"):
        event.state, event.basis, event.rule = verdict.state, "inferred", f"text:{verdict.rule}"
        event.decided_by = verdict.decided_by
    elif rejected is not None:
        event.state, event.basis, event.rule, event.decided_by = "refused", "inferred", "text:codex_rejected", "policy"
    else:
        return
    event.reason = told
    if event.decided_by == "human" and originator == HEADLESS:
        event.decided_by = "policy"


def _refuse_mcp(event: Event, output: str, originator: Any) -> None:
    """A call of an MCP server's tool that was not let through; what the server returns stays a failure."""
    told = messages.response_text(messages.load(output)) or output
    verdict = refusals.classify(told)
    if verdict is None or verdict.rule not in _OF_CODEX:
        return
    event.state, event.basis, event.rule = "refused", "inferred", f"text:{verdict.rule}"
    event.decided_by, event.reason = verdict.decided_by, told
    if event.decided_by == "human" and originator == HEADLESS:
        # Before 0.155 it said of an ask that nobody could answer that the user had cancelled it.
        event.decided_by, event.rule = "policy", "text:codex_mcp_unasked"
