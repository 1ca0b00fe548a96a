"""Live cases of Pydantic AI: its own instrumentation, driven by its function model."""

from __future__ import annotations

from typing import Final

from tests.live.agent import Agent, Call, Installation

_INSTALLED: Final = Installation(
    "pip", ("pydantic-ai-slim==2.66.0", "opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2")
)
_PROGRAM: Final = "{live}/python_agents/programs/run_pydantic_ai.py"
_STATED: Final = ("explicit",)
_READ: Final = Call("read_db", "executed", bases=_STATED, arguments={"q": "a"})


def _deleted(wait_s: float | None) -> Call:
    return Call("delete_db", "denied", "human", asked=True, wait_s=wait_s, arguments={"q": "b"})


def _paid(amount: int, wait_s: float | None) -> Call:
    return Call("pay", "executed", "human", True, wait_s, _STATED, {"amount": amount})


def _unpaid(amount: int, wait_s: float | None) -> Call:
    return Call("pay", "denied", "human", asked=True, wait_s=wait_s, arguments={"amount": amount})


_EXTERNAL: Final = (Call("render", "executed", "program", arguments={"page": "p"}), _READ)
_CLOSED: Final = Call("close", "executed")
_RESULT: Final = Call("final_result", "executed", arguments={"total": 3}, body=None)
_NO_TEXT: Final = "without content the answer has no text, and only the text tells"
_AS_RUN: Final = "the span of a call that a hook answered is that of one that ran"
_RAN: Final = {"outcome": "executed"}
_APPROVE_DENY: Final = (_READ, _deleted(2), _paid(900, 2))
_UNKNOWN_AND_INVALID: Final = (
    Call("wipe", "unknown_tool", arguments={"q": "a"}),
    Call("read_db", "invalid_arguments", arguments={"rows": 3}),
    _READ,
)
_RAISED: Final = (
    Call("ship", "executed", "human", True, 1.5, _STATED, {"parcel": "one"}),
    Call("ship", "denied", "human", asked=True, wait_s=1.5, arguments={"parcel": "two"}),
)


def _case(scene: str, calls: tuple[Call, ...], *arguments: str, runs: int = 1) -> Agent:
    name = "_".join((scene, *arguments)).replace("-", "_")
    version = next((item for item in arguments if item.startswith("v")), "v5").removeprefix("v")
    content = "no-content" if "no-content" in arguments else "content"
    return Agent(f"pydantic-ai/{name}", _INSTALLED, ("{bin}/python", _PROGRAM, scene, version, content), calls, runs)


AGENTS: Final = (
    *(_case("approve_deny", _APPROVE_DENY, *how) for how in ((), ("no-content",), ("v2",), ("v3",), ("v4",), ("v6",))),
    _case("approve_deny", _APPROVE_DENY, "v6", "no-content"),
    *(_case("plain_denial", (_deleted(1.5), _unpaid(1, 1.5)), *how) for how in ((), ("no-content",))),
    _case("pending", (_READ, Call("pay", "pending", asked=True, arguments={"amount": 900}))),
    _case("pending", (_READ, Call("pay", "pending", asked=True, arguments={"amount": 900})), "no-content"),
    *(_case("unknown_and_invalid", _UNKNOWN_AND_INVALID, *how) for how in ((), ("no-content",), ("v2",))),
    _case(
        "retried_and_broken",
        (
            Call("lookup", "failed", bases=_STATED, arguments={"key": "A"}),
            Call("lookup", "executed", bases=_STATED, arguments={"key": "a"}),
            Call("broken", "failed", bases=_STATED, arguments={"q": "a"}),
        ),
    ),
    _case("twice_the_same", (_paid(5, 1.5), _unpaid(5, 1.5))),
    _case("edited", (Call("pay", "modified", "human", True, 1.5, arguments={"amount": 900}),)),
    _case(
        "edited",
        (
            Call(
                "pay",
                "modified",
                "human",
                True,
                1.5,
                untold={"outcome": "without content no arguments are sent"},
                told=_RAN,
            ),
        ),
        "no-content",
    ),
    *(_case("raised_in_body", _RAISED, *how) for how in ((), ("no-content",), ("v2",), ("v4",))),
    _case(
        "asked_twice",
        (Call("delete_db", "executed", "human", True, 1, _STATED, {"q": "b"}), _unpaid(7, 2.5)),
    ),
    _case("streamed", _APPROVE_DENY),
    _case("interleaved", (_READ, _READ, _paid(5, 2), _unpaid(5, 2)), runs=2),
    _case(
        "sub_agent",
        (
            Call("ask_helper", "executed", bases=_STATED, arguments={"task": "t"}),
            Call("read_db", "executed", bases=_STATED, arguments={"q": "z"}),
            Call("wipe", "unknown_tool", arguments={}),
            _deleted(1.5),
        ),
        runs=2,  # the helper's run is one of its own
    ),
    *(_case(scene, _EXTERNAL, *how) for scene in ("external", "external_toolset") for how in ((), ("no-content",))),
    *(_case("handled_inline", (_READ, _deleted(None), _paid(900, None)), *how) for how in ((), ("no-content",))),
    _case("final_result_first", (_CLOSED, _READ)),
    _case("final_result_early", (_CLOSED, Call("read_db", "cancelled", "program", arguments={"q": "a"}))),
    _case(
        "final_result_early",
        (_CLOSED, Call("read_db", "cancelled", "program", untold=dict.fromkeys(("outcome", "decided_by"), _NO_TEXT))),
        "no-content",
    ),
    _case("structured", (_READ, Call("final_result", "invalid_arguments", arguments={"total": "much"}), _RESULT)),
    _case(
        "structured",
        (_READ, Call("final_result", "invalid_arguments", untold={"outcome": _NO_TEXT}), _RESULT),
        "no-content",
    ),
    _case(
        "hook_skips",
        (Call("void", "denied", "hook", untold=dict.fromkeys(("outcome", "decided_by"), _AS_RUN), told=_RAN), _READ),
    ),
    _case("interrupted", (Call("slow", "cancelled", "human_or_program", arguments={"q": "a"}),), runs=2),
    _case("two_turns", (_READ, _READ), runs=2),
)
