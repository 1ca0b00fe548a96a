"""Live cases of Strands: its own tracer, with span events of the deprecated conventions and of the latest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation("pip", ("strands-agents==1.62.0", "opentelemetry-exporter-otlp-proto-http==1.45.1"))
_PROGRAM: Final = "{live}/python_agents/programs/run_strands.py"
_LATEST: Final = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}

_READ: Final = Call("read_db", "executed", bases=("explicit",), arguments={"q": "a"})
_FORBIDDEN: Final = Call("delete_db", "denied", "hook", arguments={"q": "b"})
_UNTOLD: Final = dict.fromkeys(("outcome", "decided_by"), "a hook's words are told to the model, once the run goes on")
_SCENES: Final[Mapping[str, tuple[Call, ...]]] = {
    "approve": (_READ, _FORBIDDEN, Call("pay", "executed", "human", True, 2, arguments={"amount": 900})),
    "reject": (_READ, _FORBIDDEN, Call("pay", "denied", "human", True, 2, arguments={"amount": 900})),
    "pending": (
        _READ,
        replace(_FORBIDDEN, untold=_UNTOLD),
        Call("pay", "pending", asked=True, arguments={"amount": 900}),
    ),
    "wrong_calls": (
        Call("wipe", "unknown_tool", arguments={"q": "a"}),
        Call("broken", "failed", arguments={"q": "a"}),
        Call("read_db", "invalid_arguments", arguments={"rows": [3]}),
        _READ,
    ),
    "twice_the_same": (
        Call("pay", "executed", "human", True, 1.5, arguments={"amount": 5}),
        Call("pay", "denied", "human", True, 1.5, arguments={"amount": 5}),
    ),
}

AGENTS: Final = tuple(
    Agent(
        f"strands/{scene}{'_latest' if environment else ''}",
        _INSTALLED,
        ("{bin}/python", _PROGRAM, scene),
        calls,
        environment=environment,
    )
    for environment in ({}, _LATEST)
    for scene, calls in _SCENES.items()
    if not environment or scene in ("approve", "reject")
)
