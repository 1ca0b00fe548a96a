"""What the scripted programs share. It is run by the agents' own Pythons and needs nothing of the harness.

The tools log that they ran: that is the truth that cannot be argued with.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Turn = str | list[tuple[str, dict[str, Any]]]
"""What the model says in one turn: a text, or calls as `(tool, arguments)`."""


def json_of(arguments: dict[str, Any]) -> str:
    """Arguments as a model writes them."""
    return json.dumps(arguments)


def ran(tool: str) -> None:
    """Log that a tool's body runs."""
    with Path(os.environ["LIVE_TOOL_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{tool}\n")


def read_db(q: str) -> str:
    """Read rows."""
    ran("read_db")
    return f"rows of {q}"


def delete_db(q: str) -> str:
    """Delete rows."""
    ran("delete_db")
    return f"deleted {q}"


def pay(amount: int) -> str:
    """Pay an amount."""
    ran("pay")
    return f"paid {amount}"


def void() -> None:
    """Do something and return nothing."""
    ran("void")


def broken(q: str) -> str:
    """Fail."""
    ran("broken")
    raise RuntimeError(f"no connection for {q}")


def reviewer_thinks(seconds: float) -> None:
    """Let the answer to an approval take its time."""
    time.sleep(seconds)


def tracer_provider(service: str) -> Any:
    """The official SDK as a user sets it up: the exporter reads the usual environment. Flushed at the end."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    atexit.register(provider.shutdown)
    return provider


def logger_provider(service: str) -> Any:
    """The same for log records."""
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    provider = LoggerProvider(resource=Resource.create({"service.name": service}))
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(provider)
    atexit.register(provider.shutdown)
    return provider


@contextmanager
def model_server(*, lists_tools: bool = True, **conversations: list[Turn]) -> Iterator[str]:
    """The scripted model behind a real provider's wire: its base URL while it plays.

    Args:
        lists_tools: whether the agent tells the model its tools as a provider's wire has them.
        conversations: the turns of each, by a marker that stands in its first prompt as `[[marker]]`, the main agent's
            first. Ids of calls are `call_<marker>_<turn>_<index>`.
    """
    sys.path.append(f"{os.environ['LIVE_ROOT']}/tests")
    from live import model_server as server
    from live.script import Conversation, Script, ToolCall
    from live.script import Turn as Said

    def said(marker: str, number: int, turn: Turn) -> Said:
        if isinstance(turn, str):
            return Said(turn)
        calls = (
            ToolCall(f"call_{marker}_{number}_{index}", tool, arguments) for index, (tool, arguments) in enumerate(turn)
        )
        return Said(f"Turn {number} of {marker}.", tuple(calls))

    played = tuple(
        Conversation(f"[[{marker}]]", tuple(said(marker, number, turn) for number, turn in enumerate(turns)))
        for marker, turns in conversations.items()
    )
    with server.serve(Script(played, lists_tools=lists_tools)) as serving:
        yield serving.base_url
