"""What is known of one emitter: an agent, SDK or framework, and the instrumentation that tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Signal: TypeAlias = Literal["traces", "logs"]
Question: TypeAlias = Literal["agent", "model", "system_prompt", "inputs", "tools", "reviewer", "decisions"]

QUESTIONS: Final[tuple[Question, ...]] = (
    "agent",
    "model",
    "system_prompt",
    "inputs",
    "tools",
    "reviewer",
    "decisions",
)
"""The six answers of a run, and the decisions on its calls."""

GENAI_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_AND_EVENT"
"""The switch for content of instrumentations by the GenAI conventions."""

SDK: Final = """\
export OTEL_EXPORTER_OTLP_ENDPOINT={http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_TRACES_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp
export OTEL_SERVICE_NAME=my-agent
"""
"""What every OpenTelemetry SDK reads."""


@dataclass(frozen=True, slots=True)
class Emitter:
    """An agent, SDK or framework that reports with OpenTelemetry."""

    name: str
    """What `aftertrace connect` calls it."""
    title: str
    """What it calls itself."""
    observed: str
    """The version these facts were observed in."""
    services: tuple[str, ...]
    """Values of `service.name` that it sends; a trailing `*` stands for any ending."""
    scopes: tuple[str, ...]
    """Names of its instrumentation scopes, in the same form."""
    signals: tuple[Signal, ...]
    """What it should send once everything below is switched on."""
    switches: str
    """What to set, ready to paste. `{http}` and `{grpc}` stand for the receiver's URLs."""
    note: str = ""
    """What even then is not seen, or what to beware of."""
    gives: Mapping[Question, str] = field(default_factory=dict)
    """What to switch on for an answer. A question that is missing here is answered without any switch; an empty text
    says that this emitter cannot answer it."""

    def sends(self, service: str | None, scope: str | None) -> bool:
        """Whether a record of this service and scope comes from this emitter."""
        return any(_matches(service or "", pattern) for pattern in self.services) or any(
            _matches(scope or "", pattern) for pattern in self.scopes
        )


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
