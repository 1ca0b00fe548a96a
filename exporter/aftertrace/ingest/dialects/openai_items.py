"""Items of OpenAI's Responses API: what each of them states.

Calls that the client runs come as two items, a call and its output, and what became of one is only the text that the
model was given. Calls that the provider runs (searches, code, remote MCP servers) are one item with a status. A remote
server's tool may need an approval: then the request, the answer and the call are three items, and the call is told by
the id of the request.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.values import mapping, text

CLIENT_CALLS: Final = (
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "shell_call",
    "apply_patch_call",
)
PROVIDER_CALLS: Final = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
)
OUTPUTS: Final = tuple(f"{kind}_output" for kind in CLIENT_CALLS)
OTHERS: Final = (
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_list_tools",
    "reasoning",
    "compaction",
    "item_reference",
)
ITEMS: Final = (*CLIENT_CALLS, *PROVIDER_CALLS, *OUTPUTS, *OTHERS)
CLIENTS: Final = (*OUTPUTS, "mcp_approval_response")
"""Items that the client adds; the model makes all others."""

_ARGUMENTS: Final = ("arguments", "input", "action", "operation", "code", "queries")
_VARIANT: Final = re.compile(r"(_use)?(_preview)?(_\d+)*$")
_STATES: Final = {"completed": "completed", "failed": "failed", "incomplete": "failed", "in_progress": "started"}
_REFUSALS: Final = (401, 403)


def events_of(item: dict[str, Any]) -> list[Event]:
    """What an item states; nothing for one that is no call, answer or approval."""
    kind = item.get("type")
    if kind in CLIENT_CALLS:
        return [_proposal(item), *_safety(item, "pending_safety_checks")]
    if kind in PROVIDER_CALLS:
        return [_proposal(item), _run(item)]
    if kind in OUTPUTS:
        return [*_safety(item, "acknowledged_safety_checks"), _output(item)]
    if kind == "mcp_approval_request":
        return [_proposal(item), _about(item, "approval.requested")]
    if kind == "mcp_approval_response":
        return [_answer(item)]
    if kind == "mcp_list_tools":
        names = messages.tool_names(item.get("tools"))
        return [] if names is None else [Event(event="input.resolved", state="tools", content=names)]
    return []


def tool_names(tools: Any) -> list[str] | None:
    """Names of a request's tools; those of the provider go by their kind. None where a remote server has more."""
    if not isinstance(tools, list) or any(mapping(tool).get("type") == "mcp" for tool in tools):
        return None
    named = (messages.tool_names([tool]) or [kind_name(mapping(tool).get("type"))] for tool in tools)
    return [name for names in named for name in names if name]


def kind_name(kind: Any) -> str:
    """What the calls of a provider's tool go by: `web_search` of `web_search_preview` and of `web_search_call`."""
    return _VARIANT.sub("", kind.removesuffix("_call")) if isinstance(kind, str) else ""


def _about(item: dict[str, Any], event: str, state: str | None = None) -> Event:
    """An event about the call of an item that is one."""
    return Event(
        event=event,
        state=state,
        tool_name=text(item.get("name")) or kind_name(item.get("type")),
        call_id=text(item.get("approval_request_id")) or text(item.get("call_id")) or text(item.get("id")),
        arguments=next((messages.load(item[key]) for key in _ARGUMENTS if item.get(key) is not None), None),
    )


def _proposal(item: dict[str, Any]) -> Event:
    proposal = _about(item, "action.proposed", "echoed" if text(item.get("approval_request_id")) else "proposed")
    proposal.position = 0
    return proposal


def _run(item: dict[str, Any]) -> Event:
    """How a call went that the provider ran, by its status and error."""
    event = _about(item, "tool.called", _STATES.get(str(item.get("status")), "completed"))
    event.content = next((item[key] for key in ("output", "outputs", "results") if item.get(key) is not None), None)
    error = item.get("error")
    if error is not None:
        event.state, event.reason = "failed", messages.response_text(error)
        if mapping(error).get("code") in _REFUSALS:
            event.state, event.decided_by, event.rule = "refused", "target", "target_status"
    return event


def _output(item: dict[str, Any]) -> Event:
    call_id = text(item.get("call_id")) or text(item.get("id"))
    event = messages.answer({"id": call_id, "response": item.get("output")}, None)
    if event.state == "answered" and (item.get("status") == "failed" or _is_failed(item.get("output"))):
        event.state, event.reason = "failed", messages.response_text(event.content)
    return event


def _is_failed(output: Any) -> bool:
    """Whether a shell's output says that the last of its commands failed, or took too long."""
    ran = [mapping(mapping(part).get("outcome")) for part in output] if isinstance(output, list) else []
    return bool(ran) and (ran[-1].get("type") == "timeout" or ran[-1].get("exit_code") not in (None, 0))


def _answer(item: dict[str, Any]) -> Event:
    """What was answered to an approval request; that a person answered is what an approval is for."""
    return Event(
        event="approval.granted" if item.get("approve") is True else "approval.rejected",
        call_id=text(item.get("approval_request_id")),
        decided_by="human",
        identity="inferred",
        reason=text(item.get("reason")),
    )


def _safety(item: dict[str, Any], key: str) -> list[Event]:
    """The provider's checks of a computer's action, which must be acknowledged before it is carried out."""
    checks = item.get(key)
    if not isinstance(checks, list) or not checks:
        return []
    event = Event(
        event="approval.requested",
        call_id=text(item.get("call_id")),
        content="\n".join(str(mapping(check).get("message") or mapping(check).get("code")) for check in checks),
        rule="safety_check",
    )
    if key.startswith("acknowledged"):
        event.event, event.decided_by, event.identity = "approval.granted", "human_or_program", "inferred"
    return [event]
