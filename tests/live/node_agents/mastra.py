"""Live cases of Mastra: its own exporter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.live.agent import Agent, Installation
from tests.live.cli_agents.scene import SUBAGENT, Scene

from .clerk import PROMPTS, RUNS, SWITCHED, THINKS, Excuse, Untold, agent, asked, call, delete, read, sub_agent
from .clerk import SCENES as SHARED

_INSTALLED: Final = Installation(
    "npm",
    (
        "@mastra/core@1.71.0",
        "@mastra/otel-exporter@1.4.0",
        "@mastra/observability@1.17.9",
        "@ai-sdk/openai@4.0.118",
        "@opentelemetry/exporter-trace-otlp-proto@0.218.0",
        "zod@4.6.7",
        "node@22",
    ),
    shown=2,
)
_SHIPPED: Final = (
    asked("call_ship", "ship", {"parcel": "one"}, "executed"),
    asked("call_keep", "ship", {"parcel": "two"}, "denied"),
)

_PENDING: Final = (read(), delete("pending"), call("call_pay", "pay", {"amount": 900}, "pending"))
"""One question at a time: the second one is not asked before the first is answered."""

SCENES: Final[Mapping[str, Scene]] = {
    **SHARED,
    "pending": Scene((_PENDING,), settings=PROMPTS),
    "sub_agent": sub_agent("agent-helper", {"prompt": f"Read. {SUBAGENT}"}, body=None),
    "asks_in_body": Scene((_SHIPPED[:1], _SHIPPED[1:]), settings=THINKS, answers=("yes", "no, not insured")),
    "asks_in_body_pending": Scene(
        ((read(), asked("call_ship", "ship", {"parcel": "one"}, "pending")),), settings=PROMPTS
    ),
    "asks_of_all": Scene(
        ((asked("call_read", "read_db", {"q": "a"}, "executed"),),),
        settings={**THINKS, "asks_of_all": True},
        answers=("yes",),
    ),
}
_HIDDEN: Final = Excuse("without content nothing tells of a call that does not run", ("tool",))
_UNTOLD: Final[Untold] = {
    "pending_no_content": {"call_delete": _HIDDEN, "call_pay": _HIDDEN},
    "approve_reject_no_content": {
        "call_delete": _HIDDEN,
        "call_pay": Excuse("without content nothing tells who was asked what", ("asked", "decided_by", "wait_s")),
    },
    "wrong_calls_no_content": {
        "call_wipe": _HIDDEN,
        "call_invalid": Excuse(
            "without content its span is that of one that ran", ("outcome",), told={"outcome": "executed"}
        ),
    },
    "client_no_content": {"call_render": _HIDDEN, RUNS: _HIDDEN},
}

AGENTS: Final[tuple[Agent, ...]] = tuple(
    agent("mastra", _INSTALLED, "mastra", (scene, SCENES[scene]), _UNTOLD, *switches)
    for scene in SCENES
    for switches in ((), ("no_content",), ("streamed",))
    if not switches or scene in SWITCHED
)
