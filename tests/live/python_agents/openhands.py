"""Live cases of OpenHands' SDK: Laminar's spans, the model behind a real wire."""

from __future__ import annotations

from typing import Final

from tests.live.agent import Agent, Call, Installation

_PYTHON: Final = "python3.12"
_INSTALLED: Final = Installation(
    "pip", ("openhands-sdk==1.58.0", "lmnr==0.7.66", "openhands-tools==1.58.0"), shown=2, python=_PYTHON
)
_PROGRAM: Final = "{live}/python_agents/programs/run_openhands.py"
_STATED: Final = ("explicit",)
_ENVIRONMENT: Final = {
    # It would fetch a list of prices, and its banner names a site.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENHANDS_SUPPRESS_BANNER": "1",
}


def _case(scene: str, *calls: Call, runs: int = 1) -> Agent:
    return Agent(
        f"openhands/{scene}",
        _INSTALLED,
        ("{bin}/python", _PROGRAM, scene),
        calls,
        runs,
        environment=_ENVIRONMENT,
        needs=(_PYTHON,),
    )


def _read(q: str) -> Call:
    return Call("read_db", "executed", bases=_STATED, arguments={"q": q})


def _rejected(tool: str, q: str) -> Call:
    return Call(tool, "denied", "human", asked=True, wait_s=2, arguments={"q": q})


AGENTS: Final = (
    _case(
        "confirm",
        _rejected("read_db", "a"),
        _rejected("delete_db", "b"),
        Call("pay", "executed", "human", True, 1.5, _STATED, {"amount": 5}),
    ),
    _case("risky", _read("a"), Call("delete_db", "executed", "human", True, 2, _STATED, {"q": "b"})),
    _case("pending", Call("read_db", "pending", asked=True, arguments={"q": "a"})),
    _case(
        "wrong_calls",
        Call("wipe", "unknown_tool", arguments={"q": "a"}),
        Call("pay", "invalid_arguments", arguments={"amount": "much"}),
        Call("broken", "failed", bases=_STATED, arguments={"q": "b"}),
        Call("refuses", "failed", bases=_STATED, arguments={"q": "c"}),
        _read("a"),
    ),
    _case("hook", _read("a"), Call("delete_db", "denied", "hook", arguments={"q": "b"})),
    # A conversation is one trace, and what is said in it next is of the same run.
    _case("two_turns", _read("a"), _read("b")),
)
