"""Live cases of Google ADK: its own telemetry, in both schema versions, driven by a scripted model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation("pip", ("google-adk==2.13.0", "opentelemetry-exporter-otlp-proto-http==1.44.0"))
_BEFORE_2: Final = Installation("pip", ("google-adk==1.39.1", "opentelemetry-exporter-otlp-proto-http==1.41.1"))
_PROGRAM: Final = "{live}/python_agents/programs/run_google_adk.py"
_CONTENT: Final = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"}
_FIRST: Final = {"ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN": "1"}

_SOURCES: Final = {"ADK_EXPERIMENTAL_TELEMETRY": "true"}
"""It tells then whose answer a result is."""

_HELP: Final = Call("read_db", "executed", arguments={"q": "z"})
_SHIPPED: Final = Call("ship", "executed", arguments={"parcel": "one"})
_READ: Final = Call("read_db", "executed", arguments={"q": "a"})
_SCENES: Final[Mapping[str, tuple[tuple[Call, ...], int]]] = {
    "approve_reject": (
        (
            _READ,
            Call("delete_db", "denied", "human", True, 2, arguments={"q": "b"}),
            Call("pay", "executed", "human", True, 2, arguments={"amount": 900}),
        ),
        1,
    ),
    "twice_the_same": (
        (
            Call("pay", "executed", "human", True, 1.5, arguments={"amount": 5}),
            Call("pay", "denied", "human", True, 1.5, arguments={"amount": 5}),
        ),
        1,
    ),
    "pending": (
        (
            _READ,
            Call("delete_db", "pending", asked=True, arguments={"q": "b"}),
            Call("pay", "pending", asked=True, arguments={"amount": 900}),
        ),
        1,
    ),
    "broken": ((_READ, Call("broken", "failed", arguments={"q": "a"})), 1),
    "two_turns": ((_READ, _READ), 2),
    "wrong_calls": (
        (
            Call("wipe", "unknown_tool", arguments={"q": "a"}),
            _READ,
            Call("read_db", "invalid_arguments", arguments={"rows": 3}),
            _READ,
        ),
        1,
    ),
    "callback": ((_READ, Call("wipe_disk", "denied", "hook", arguments={"q": "b"})), 1),
    "callback_in_own_words": ((Call("read_db", "denied", "hook", arguments={"q": "a"}),), 1),
    "tells_an_error": ((Call("look_up", "failed", arguments={"q": "a"}),), 1),
    "caught": ((Call("broken", "failed", arguments={"q": "a"}),), 1),
    "long_running": ((_SHIPPED,), 1),
    "long_running_silent": ((_SHIPPED, _READ), 1),
    "asks_in_body": ((Call("ship", "executed", "human", True, 1.5, arguments={"parcel": "one"}),), 1),
    "transfer": ((Call("transfer_to_agent", "executed", body=None), _HELP), 1),
    # An agent as a tool has a session and an invocation of its own.
    "sub_agent": ((Call("helper", "executed", arguments={"request": "help"}, body=None), _HELP), 2),
}


_WAYS: Final[Mapping[str, tuple[Installation, Mapping[str, str]]]] = {
    "v2": (_INSTALLED, _CONTENT),
    "v1": (_INSTALLED, _CONTENT | _FIRST),
    "v2_no_content": (_INSTALLED, {}),
    "v2_experimental": (_INSTALLED, _CONTENT | _SOURCES),
    "v1_before_2": (_BEFORE_2, {}),
}
"""How ADK is installed and what is switched on."""
_PLAYED: Final[Mapping[str, tuple[str, ...]]] = {
    "v2": tuple(_SCENES),
    "v1": ("approve_reject", "pending", "wrong_calls", "callback", "long_running", "asks_in_body", "transfer"),
    "v2_no_content": ("approve_reject", "wrong_calls", "callback", "long_running", "asks_in_body"),
    "v2_experimental": ("callback", "callback_in_own_words", "caught"),
    "v1_before_2": ("approve_reject", "pending", "callback", "long_running", "asks_in_body", "transfer", "sub_agent"),
}


_WHOSE: Final = "whose answer a result is, ADK tells with its experimental telemetry alone"
_ALIKE: Final = "without content every error reads alike"
_UNTOLD: Final[Mapping[tuple[str, str], tuple[Mapping[str, str], Mapping[str, object]]]] = {
    ("callback", "wipe_disk"): (dict.fromkeys(("outcome", "decided_by"), _WHOSE), {"outcome": "failed"}),
    ("callback_in_own_words", "read_db"): (dict.fromkeys(("outcome", "decided_by"), _WHOSE), {"outcome": "executed"}),
    ("caught", "broken"): ({"outcome": _WHOSE}, {"outcome": "executed"}),
    ("before_2_callback", "wipe_disk/denied"): (
        dict.fromkeys(("outcome", "decided_by"), "nothing tells whose answer a result is"),
        {"outcome": "executed"},
    ),
    ("no_content_wrong_calls", "read_db/invalid_arguments"): ({"outcome": _ALIKE}, {"outcome": "failed"}),
}
"""What cannot be told and what is told instead, by scene and call; the first three with experimental telemetry can."""
_RUNS: Final = {"v1_before_2_asks_in_body": 2, "v1_before_2_long_running": 2}
"""Before ADK 2 each message is an invocation of its own, and joins no other by a call that seems to have run."""


def _told(way: str, scene: str, call: Call) -> Call:
    keys = ((f"{way}_{scene}".partition("_")[2], f"{call.tool}/{call.outcome}"), (scene, call.tool))
    found = next((_UNTOLD[key] for key in keys if key in _UNTOLD), None)
    if found is None or _WAYS[way][1].items() >= _SOURCES.items():
        return call
    return replace(call, untold=found[0], told=found[1])


def _case(way: str, scene: str) -> Agent:
    calls, runs = _SCENES[scene]
    installation, environment = _WAYS[way]
    name, told = f"google-adk/{way}_{scene}", tuple(_told(way, scene, call) for call in calls)
    return Agent(
        name, installation, ("{bin}/python", _PROGRAM, scene), told, _RUNS.get(f"{way}_{scene}", runs), environment
    )


AGENTS: Final = tuple(_case(way, scene) for way, scenes in _PLAYED.items() for scene in scenes)
