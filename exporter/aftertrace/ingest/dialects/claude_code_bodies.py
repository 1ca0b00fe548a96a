"""Model requests and answers of Claude Code in full: raw API bodies, and `new_context` of the detailed beta.

They reveal what no other record of this emitter does: calls of tools that do not exist, what the model was
told became of a call, the system prompt and the tools. A body is cut at 60 KB; of a cut body the complete
elements are read, and what is open at the cut is passed over. The order in a request is model, messages,
system, tools, so that a cut takes the last tools first: a list that is not whole is never taken for the list.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.anthropic_content import answered, blocks, proposed
from aftertrace.ingest.dialects.claude_code_decisions import entrypoint
from aftertrace.ingest.dialects.events import Event, Who
from aftertrace.ingest.dialects.values import text

_DECODER: Final = json.JSONDecoder()
_KEY: Final = re.compile(r'[\s,]*"((?:[^"\\]|\\.)*)"\s*:\s*')
_BETWEEN: Final = re.compile(r"[\s,]*")
_BILLING: Final = "x-anthropic-billing-header:"
"""Starts a system block that names version and entrypoint and is no part of the prompt."""
_ENTRYPOINT: Final = re.compile(r"cc_entrypoint=([\w-]+)")
_ANSWER: Final = re.compile(r"\[TOOL RESULT: ([\w-]+)\]\s*\n(.*?)(?=\n\n---\n|\n\[TOOL RESULT: |\Z)", re.DOTALL)


def request_events(body: str, who: Who, time_ns: int) -> list[Event]:
    """What a request shows: answers since the last assistant message, that message's calls, system prompt,
    tools.

    Fills the model, the prompt's digest and, where the list is whole, the tools into `who`.
    """
    members, cut = _members(body)
    who.model = text(members.get("model"))
    found = _tail(members.get("messages"))
    prompt, door = _system(members.get("system") if cut != "system" else None)
    if prompt is not None:
        who.system_prompt_digest = messages.value_digest(prompt)
        event = Event(event="input.resolved", state="system_prompt", content=prompt)
        if door is not None:
            event.attributes["entrypoint"] = entrypoint(None, door)
        found.append(event)
    names = messages.tool_names(members.get("tools"))
    if names is not None:
        if cut != "tools":
            who.tool_names, who.tools_digest = names, messages.value_digest(members["tools"])
        found.append(
            Event(event="input.resolved", state="tools", content=names, attributes={"complete": cut != "tools"})
        )
    return _at(time_ns, found)


def response_events(body: str, who: Who, time_ns: int) -> list[Event]:
    """What an answer of the model shows: the calls it proposes. Fills the model that answered into `who`."""
    members, _ = _members(body)
    who.model_served = text(members.get("model"))
    found = proposed(members.get("content"), "proposed")
    for event in found:
        event.group = text(members.get("id"))
    return _at(time_ns, found + answered(members.get("content")))


def context_events(new_context: Any, time_ns: int) -> list[Event]:
    """The answers in `new_context`, where each stands under a heading with the id of its call."""
    if not isinstance(new_context, str):
        return []
    return _at(
        time_ns,
        [messages.answer({"id": call_id, "response": told}, None) for call_id, told in _ANSWER.findall(new_context)],
    )


def _members(body: str) -> tuple[dict[str, Any], str | None]:
    """The members of a JSON object, and the key of the one at which the text is cut (None: it is whole)."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        return _complete_members(body)
    return (whole, None) if isinstance(whole, dict) else ({}, None)


def _complete_members(body: str) -> tuple[dict[str, Any], str | None]:
    members: dict[str, Any] = {}
    position = body.find("{") + 1
    while position and (key := _KEY.match(body, position)):
        try:
            members[key[1]], position = _DECODER.raw_decode(body, key.end())
        except (ValueError, RecursionError):
            if body.startswith("[", key.end()):
                members[key[1]] = _complete_elements(body, key.end() + 1)
            return members, key[1]
    return members, None


def _complete_elements(body: str, position: int) -> list[Any]:
    elements: list[Any] = []
    while True:
        between = _BETWEEN.match(body, position)
        try:
            element, position = _DECODER.raw_decode(body, between.end() if between else position)
        except (ValueError, RecursionError):
            return elements
        elements.append(element)


def _tail(listed: Any) -> list[Event]:
    """The calls of the last assistant message once more, and their answers: a request repeats all before."""
    spoken = messages.messages(listed)
    last = max((i for i, message in enumerate(spoken) if message.get("role") == "assistant"), default=None)
    if last is None:
        return []
    found = proposed(spoken[last].get("content"), "echoed")
    for message in spoken[last + 1 :]:
        found += answered(message.get("content"))
    names = {event.call_id: event.tool_name for event in found if event.event == "action.proposed"}
    for event in found:
        event.tool_name = event.tool_name or names.get(event.call_id)
    return found


def _system(system: Any) -> tuple[str | None, str | None]:
    """The system prompt, and the entrypoint that its billing block names."""
    texts = [system] if isinstance(system, str) else [text(block.get("text")) for block in blocks(system)]
    prompt = [each for each in texts if each and not each.startswith(_BILLING)]
    doors = [_ENTRYPOINT.search(each) for each in texts if each and each.startswith(_BILLING)]
    door = next((match[1] for match in doors if match), None)
    return "\n\n".join(prompt) or None, door


def _at(time_ns: int, events: list[Event]) -> list[Event]:
    for event in events:
        event.time_ns = time_ns
    return events
