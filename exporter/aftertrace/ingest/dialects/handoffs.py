"""Hand-offs of the OpenAI Agents SDK: an agent gives the run to another by calling a tool named after it.

The SDK's span of a hand-off has no call id; its instrumentations name the agent that takes over, each in its own way.
"""

from __future__ import annotations

import re
from typing import Final

from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.records import Span

TO_AGENT: Final = "to_agent"
"""Attribute of the call: the agent that takes over."""
_NO_IDENTIFIER: Final = re.compile(r"[^a-zA-Z0-9_]")


def tool(agent: str) -> str:
    """The tool by which a model hands a run over to an agent."""
    return "transfer_to_" + _NO_IDENTIFIER.sub("_", agent).lower()


def events(span: Span, to_agent: str | None) -> list[Event]:
    """The call that a span of a hand-off stands for; none where it does not name the agent that takes over."""
    if to_agent is None:
        return []
    return [
        Event(
            event="tool.called",
            state="completed",
            time_ns=span.start_ns,
            end_ns=span.end_ns or None,
            tool_name=tool(to_agent),
            content=to_agent,
            attributes={TO_AGENT: to_agent},
        )
    ]
