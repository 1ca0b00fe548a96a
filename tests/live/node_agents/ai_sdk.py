"""Live cases of the Vercel AI SDK 6 and 7: its own spans, and those of version 6 that version 7 can still write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.live.agent import Agent, Installation
from tests.live.cli_agents.scene import SUBAGENT, Scene

from .clerk import PROMPTS, RUNS, SWITCHED, THINKS, Excuse, Untold, agent, call, delete, pay, read, sub_agent
from .clerk import SCENES as SHARED

_PACKAGES: Final = (
    "zod@4.6.7",
    "@opentelemetry/api@1.9.1",
    "@opentelemetry/resources@2.12.1",
    "@opentelemetry/sdk-trace-node@2.12.0",
    "@opentelemetry/exporter-trace-otlp-proto@0.223.1",
    "node@22",
)
_INSTALLED: Final = {
    "ai-sdk-6": Installation("npm", ("ai@6.0.326", "@ai-sdk/openai@3.0.141", *_PACKAGES)),
    "ai-sdk-7": Installation(
        "npm", ("ai@7.0.173", "@ai-sdk/otel@1.0.173", "@ai-sdk/openai@4.0.118", *_PACKAGES), shown=2
    ),
}
_REPAIRED: Final = call("call_repaired", "read_db", {"rows": 3}, "executed")
_RULED: Final = (
    read(),
    call("call_delete", "delete_db", {"q": "b"}, "denied", "policy"),
    call("call_pay", "pay", {"amount": 900}, "executed", "policy"),
)
_RULES: Final = {"delete_db": {"type": "denied", "reason": "no rule allows it"}, "pay": "approved"}

SCENES: Final[Mapping[str, Scene]] = {
    **SHARED,
    "sub_agent": sub_agent("ask_helper", {"task": f"Read. {SUBAGENT}"}),
    "wrapped": Scene(
        ((read(), delete(), pay()),), settings={**THINKS, "wrapped": True}, answers=("no, not on a Friday", "yes")
    ),
    "repaired": Scene(((_REPAIRED,),), settings={**PROMPTS, "repaired": True}),
    "rules": Scene((_RULED,), settings={**PROMPTS, "approvals": _RULES}),
}
_LATE: Final = Excuse("an ask is told with its answer, and until then a client's call looks alike", ("asked",))
_HIDDEN: Final = Excuse("without content nothing tells of a call that does not run", ("tool",))
_UNTOLD: Final[Untold] = {
    **{f"pending{switch}": {"call_delete": _LATE, "call_pay": _LATE} for switch in ("", "_streamed", "_legacy")},
    "pending_no_content": {"call_delete": _HIDDEN, "call_pay": _HIDDEN},
    "approve_reject_no_content": {
        "call_delete": _HIDDEN,
        "call_pay": Excuse("without content nothing tells when it was proposed", ("wait_s",)),
        RUNS: _HIDDEN,
    },
    "wrong_calls_no_content": {"call_wipe": _HIDDEN, "call_invalid": _HIDDEN},
    "client_no_content": {"call_render": _HIDDEN, RUNS: _HIDDEN},
}
_UNTOLD_OF_7: Final[Untold] = {
    **_UNTOLD,
    "repaired": {"call_repaired": Excuse("version 7 tells the call as it was mended", ("arguments",))},
    "aborted_no_content": {
        "call_slow": Excuse(
            "without content every error reads alike", ("outcome", "decided_by"), told={"outcome": "failed"}
        )
    },
    "rules": {"call_pay": Excuse("the ids of automatic approvals are not sent", ("decided_by",))},
}
_ONLY_7: Final = ("rules", "legacy")

AGENTS: Final[tuple[Agent, ...]] = tuple(
    agent(name, installation, "ai_sdk", (scene, SCENES[scene]), untold, *switches)
    for (name, installation), untold in zip(_INSTALLED.items(), (_UNTOLD, _UNTOLD_OF_7), strict=True)
    for scene in SCENES
    for switches in ((), ("no_content",), ("streamed",), ("legacy",))
    if not switches or scene in SWITCHED
    if name == "ai-sdk-7" or not {scene, *switches} & {*_ONLY_7}
)
