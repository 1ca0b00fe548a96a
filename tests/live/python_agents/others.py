"""Live cases of frameworks of which a few show what is read: LlamaIndex, Haystack, AutoGen, and LiteLLM's own spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.live.agent import Agent, Call, Installation

_EXPORTER: Final = "opentelemetry-exporter-otlp-proto-http==1.45.2"
_INSTALLED: Final = {
    "llama-index": Installation(
        "pip",
        (
            "llama-index-core==0.14.25",
            "openinference-instrumentation-llama-index==4.6.1",
            "llama-index-llms-openai-like==0.8.1",
            _EXPORTER,
        ),
        shown=2,
    ),
    "haystack": Installation(
        "pip", ("haystack-ai==3.0.0", "openinference-instrumentation-haystack==0.1.46", _EXPORTER), shown=2
    ),
    "autogen": Installation(
        "pip",
        (
            "autogen-agentchat==0.7.5",
            "autogen-ext[openai]==0.7.5",
            "openinference-instrumentation-autogen-agentchat==0.1.22",
            _EXPORTER,
        ),
        shown=3,
    ),
    "litellm": Installation("pip", ("litellm==1.100.0", _EXPORTER)),
}
_ENVIRONMENT: Final[Mapping[str, Mapping[str, str]]] = {
    "haystack": {"HAYSTACK_TELEMETRY_ENABLED": "False"},
    "litellm": {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": "{http}/v1/traces",
    },
}

_READ: Final = Call("read_db", "executed", arguments={"q": "a"})
_PAID: Final = Call("pay", "executed", arguments={"amount": 5})
_SCENES: Final[Mapping[str, tuple[Call, ...]]] = {
    "parallel": (_READ, _PAID),
    "twice_the_same": (_PAID, _PAID),
    "wrong_calls": (
        Call("wipe", "unknown_tool", arguments={"q": "a"}),
        Call("broken", "failed", arguments={"q": "a"}),
        _READ,
    ),
    "unanswered": (_READ, Call("pay", "unresolved", arguments={"amount": 5})),
}
_PLAYED: Final = {
    **dict.fromkeys(("llama-index", "haystack", "autogen"), ("parallel", "twice_the_same", "wrong_calls")),
    "litellm": ("parallel", "unanswered"),
}
_IN_PYTHON: Final = "what the model is told of a call lies in Python's words of a message alone, which are not read"
_NO_RUN: Final = (
    "it tells of model calls: each is a trace of its own, with the calls of its answer beside it without ids"
)
_UNTOLD: Final[Mapping[str, Mapping[str, str]]] = {"haystack": {"outcome": _IN_PYTHON}, "litellm": {"tool": _NO_RUN}}
"""What cannot be told of any call, by framework."""
_RUNS: Final = {"litellm": 2, "autogen": 2}
"""AutoGen tells of the creation of an agent in a trace of its own."""


def _case(framework: str, scene: str) -> Agent:
    program = f"{{live}}/python_agents/programs/run_{framework.replace('-', '_')}.py"
    return Agent(
        f"{framework}/{scene}",
        _INSTALLED[framework],
        ("{bin}/python", program, scene),
        tuple(replace(call, untold=_UNTOLD.get(framework, {})) for call in _SCENES[scene]),
        _RUNS.get(framework, 1),
        environment=_ENVIRONMENT.get(framework, {}),
    )


AGENTS: Final = tuple(_case(framework, scene) for framework, scenes in _PLAYED.items() for scene in scenes)
