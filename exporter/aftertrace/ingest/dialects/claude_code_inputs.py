"""Inputs that Claude Code tells of: prompts, and arguments as it shows them."""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.values import text

_HIDDEN: Final = "<REDACTED>"
_NO_ARGUMENTS: Final = ("git_commit_id", "mcp_server_name", "mcp_tool_name")
"""Members of `tool_parameters` that are no arguments: what only the result knows, and what names the tool."""
_COMPARED_CHARACTERS: Final = 4_000
"""A longer command may be cut in one record and not in another: it is not compared."""


def prompt_event(prompt: Any, time_ns: int) -> Event:
    """The user's prompt; without content where the emitter withholds it."""
    content = None if prompt == _HIDDEN else text(prompt)
    return Event(event="input.resolved", state="user_prompt", time_ns=time_ns, content=content)


def show_parameters(event: Event, parameters: Any) -> None:
    """Give an event the arguments that `tool_parameters` shows: a summary, which splits a command into two
    members.

    Their digest makes two summaries of one call comparable: when decided on, and when run.
    """
    shown = messages.load(parameters)
    if shown is None:
        return
    if isinstance(shown, dict):
        shown = {key: value for key, value in shown.items() if key not in _NO_ARGUMENTS}
        if not shown:
            return
        event.attributes["parameters_digest"] = messages.value_digest(shown)
        if "full_command" in shown:
            shown = {"command": shown.pop("full_command"), **shown}
            show_command(event, shown["command"])
            shown.pop("bash_command", None)
    event.arguments, event.attributes["arguments_partial"] = shown, True


def show_command(event: Event, command: Any) -> None:
    """Keep the digest of a command, by which it is seen whether the one that ran is the one that came in."""
    if isinstance(command, str) and len(command) <= _COMPARED_CHARACTERS:
        event.attributes["command_digest"] = messages.value_digest(command)


def show_input(event: Event, tool_input: Any, size_bytes: Any) -> None:
    """Give an event the arguments that `tool_input` holds, unless it has none.

    Long texts in it are cut, while `size_bytes` is the size of the original: where the two differ the
    arguments are marked as partial.
    """
    if tool_input is None:
        return
    event.arguments = messages.load(tool_input)
    encoded = tool_input.encode("utf-8", "surrogatepass") if isinstance(tool_input, str) else b""
    if size_bytes is None or str(len(encoded)) == str(size_bytes):
        event.attributes.pop("arguments_partial", None)
    else:
        event.attributes["arguments_partial"] = True


def mcp_tool(tool_parameters: Any) -> str | None:
    """The name under which the model calls an MCP server's tool, which log records keep to `tool_parameters`."""
    shown = messages.load(tool_parameters)
    if not isinstance(shown, dict):
        return None
    server, tool = text(shown.get("mcp_server_name")), text(shown.get("mcp_tool_name"))
    return None if server is None or tool is None else f"mcp__{server}__{tool}"


def commit_event(parameters: Any, time_ns: int) -> Event | None:
    """The receipt of a commit that a command made, if `tool_parameters` names one."""
    shown = messages.load(parameters)
    commit = text(shown.get("git_commit_id")) if isinstance(shown, dict) else None
    if commit is None:
        return None
    receipt = {"system": "git", "object": "commit", "id": commit}
    return Event(event="effect.applied", time_ns=time_ns, attributes=receipt)
