"""Live cases of tracing products' own SDKs around OpenAI's client: Langfuse, LangSmith, Logfire."""

from __future__ import annotations

from typing import Final

from tests.live.agent import Agent, Call, Installation

_EXPORTER: Final = ("openai==3.54.0", "opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2")
_STATED: Final = ("explicit",)
_READ: Final = Call("read_db", "executed", bases=_STATED, arguments={"q": "a"})
_BROKEN: Final = Call("broken", "failed", bases=_STATED, arguments={"q": "b"})
_DECLINED: Final = Call("delete_db", "denied", "human", asked=True, arguments={"q": "c"})
_ANSWERED: Final = Call("read_db", "executed", arguments={"q": "a"})
_SAID: Final = Call(
    "broken",
    "failed",
    arguments={"q": "b"},
    untold={"outcome": "tools are not traced, and an answer may say anything"},
    told={"outcome": "executed"},
)


def _case(kind: str, package: str, *calls: Call) -> Agent:
    installed = Installation("pip", (package, *_EXPORTER))
    command = ("{bin}/python", "{live}/python_agents/programs/run_tracing_sdk.py", kind)
    return Agent(f"{kind}/openai_client", installed, command, calls)


AGENTS: Final = (
    _case("langfuse", "langfuse==5.0.4", _READ, _BROKEN, _DECLINED),
    _case("langsmith", "langsmith[otel]==0.15.0", _READ, _BROKEN, _DECLINED),
    _case("logfire", "logfire==5.2.0", _ANSWERED, _SAID, _DECLINED),
)
