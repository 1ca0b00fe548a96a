"""Weeks of runs of one agent as OTLP: standard GenAI spans, and log records for the decisions. Nothing is random.

A `Ran` is one run as a story tells it; `telemetry` is what its agent would send of it. Every run reads, proposes a
payment after that, and each tenth asks a person, who takes a while.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aftertrace.store.request import Encoding, Signal

MONDAY: Final = datetime(2026, 11, 2, 9, tzinfo=UTC)
TOOLS: Final = ("pay", "read_order")
PROMPT: Final = "You are a clerk. Today is {day:%A, %-d %B %Y}.\nPay at most 100 EUR.\nBe polite."
NOW_NS: Final = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run: when, with what, and what became of its payment."""

    at: datetime
    prompt: str | None = PROMPT
    """None: the telemetry does not tell it. `{day}` is the day of the run, `{nth}` its number."""
    tools: tuple[str, ...] = TOOLS
    schema: int = 1
    model: str = "model-5"
    served: str = "model-5-0801"
    agent: str = "clerk"
    version: str | None = None
    is_denied: bool = False
    is_let_by_rule: bool = False
    """A policy lets the payment through, and nobody is asked."""
    waited_s: float | None = None
    tokens: int = 1000
    does: str = "pay"
    """Tool of the call that writes."""
    edited: dict[str, Any] | None = None
    """The person who is asked approves these arguments instead."""
    receipts: int = 0
    """How often the system says that it made the payment, each time with a receipt of its own."""


def days(count: int, *, runs: int, start: datetime = MONDAY) -> Iterator[datetime]:
    """So many runs a day, twenty minutes apart, on all days of the week."""
    for day in range(count):
        for nth in range(runs):
            yield start + timedelta(days=day, minutes=20 * nth)


def telemetry(ran: Iterable[Ran]) -> Iterator[tuple[Signal, Encoding, bytes]]:
    """Two requests for some runs after each other: their spans and their log records."""
    for some in batched(enumerate(ran, start=1)):
        yield "traces", "json", _request("Spans", [span for nth, run in some for span in _spans(nth, run)])
        if logs := [log for nth, run in some for log in _logs(nth, run)]:
            yield "logs", "json", _request("Logs", logs)


def batched(ran: Iterator[tuple[int, Ran]]) -> Iterator[list[tuple[int, Ran]]]:
    """Twenty runs at a time."""
    while some := list(islice(ran, 20)):
        yield some


def _spans(nth: int, run: Ran) -> list[dict[str, Any]]:
    whose = {"gen_ai.agent.name": run.agent, "gen_ai.agent.version": run.version}
    made = [{"role": "assistant", "parts": [_part(nth, run.does, 0), _part(nth, "read_order", 1)]}]
    chat: dict[str, Any] = {
        **whose,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": run.model,
        "gen_ai.response.model": run.served,
        "gen_ai.usage.input_tokens": run.tokens,
        "gen_ai.usage.output_tokens": nth % 7,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Pay it."}]}]),
        "gen_ai.output.messages": json.dumps(made),
        "gen_ai.tool.definitions": json.dumps([{"name": name, "version": run.schema} for name in run.tools]),
    }
    if run.prompt is not None:
        told = run.prompt.format(day=run.at, nth=nth)
        chat["gen_ai.system_instructions"] = json.dumps([{"type": "text", "content": told}])
    spans = [
        _span(nth, run, 0, 60, "invoke_agent", {**whose, "gen_ai.operation.name": "invoke_agent"}),
        _span(nth, run, 1, 5, "chat", chat),
        _span(nth, run, 2, 7, "execute_tool", {**whose, **_tool(nth, "read_order", 1)}),
    ]
    ran = None if run.edited is None else json.dumps(run.edited)
    asked = {**_tool(nth, run.does, 0), "gen_ai.tool.call.arguments": ran}
    paid = _span(nth, run, 3, 50, "execute_tool", {**whose, **asked})
    return spans if run.is_denied else [*spans, paid]


def _logs(nth: int, run: Ran) -> Iterator[dict[str, Any]]:
    call = {**_tool(nth, run.does, 0), "gen_ai.agent.name": run.agent}
    if run.is_denied:
        denied = {"aftertrace.decision.outcome": "deny", "aftertrace.actor.type": "policy"}
        yield _log(nth, run, 6, "aftertrace.policy.evaluated", {**call, **denied})
    elif run.is_let_by_rule:
        let = {"aftertrace.decision.outcome": "allow", "aftertrace.actor.type": "policy"}
        yield _log(nth, run, 6, "aftertrace.policy.evaluated", {**call, **let})
    elif run.waited_s is not None:
        asked = {**call, "aftertrace.approval.id": f"a-{nth}"}
        yield _log(nth, run, 6, "aftertrace.approval.requested", asked)
        granted = {**asked, "aftertrace.actor.type": "human", "aftertrace.actor.id": "ann"}
        if run.edited is None:
            yield _log(nth, run, 6 + run.waited_s, "aftertrace.approval.granted", granted)
        else:
            edited = {**granted, "gen_ai.tool.call.arguments": json.dumps(run.edited)}
            yield _log(nth, run, 6 + run.waited_s, "aftertrace.approval.modified", edited)
    for again in range(run.receipts):
        receipt = {
            "aftertrace.effect.system": "bank",
            "aftertrace.effect.operation": "transfer",
            "aftertrace.effect.object.type": "order",
            "aftertrace.effect.object.id": f"{nth}",
            "aftertrace.effect.receipt.id": f"r-{nth}-{again}",
            "aftertrace.effect.idempotency_key": f"k-{nth}",
        }
        yield _log(nth, run, 45 + 5 * again, "aftertrace.effect.applied", {**call, **receipt})


def _part(nth: int, tool: str, position: int) -> dict[str, Any]:
    return {"type": "tool_call", "id": f"call-{nth}-{position}", "name": tool, "arguments": {"order": nth}}


def _tool(nth: int, tool: str, position: int) -> dict[str, Any]:
    called = {"gen_ai.tool.name": tool, "gen_ai.tool.call.id": f"call-{nth}-{position}"}
    return {"gen_ai.operation.name": "execute_tool", **called}


def _span(nth: int, run: Ran, at: int, seconds: int, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    above = {} if at == 0 else {"parentSpanId": f"{nth:015x}0"}
    start_ns = _ns(run, at)
    return {
        "traceId": f"{nth:032x}",
        "spanId": f"{nth:015x}{at:x}",
        **above,
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + seconds * 10**9),
        "attributes": _attributes(attributes),
    }


def _log(nth: int, run: Ran, at: float, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "traceId": f"{nth:032x}",
        "spanId": f"{nth:015x}0",
        "timeUnixNano": str(_ns(run, at)),
        "eventName": name,
        "attributes": _attributes(attributes),
    }


def _ns(run: Ran, seconds: float) -> int:
    return int(run.at.timestamp()) * 10**9 + int(seconds * 10**9)


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
        if value is not None
    ]


def _request(signal: str, records: list[dict[str, Any]]) -> bytes:
    of, records_name = ("Spans", "spans") if signal == "Spans" else ("Logs", "logRecords")
    scope = {"scope": {"name": "clerk"}, records_name: records}
    resource = {"attributes": _attributes({"service.name": "shop", "deployment.environment.name": "production"})}
    return json.dumps({f"resource{of}": [{"resource": resource, f"scope{of}": [scope]}]}).encode()
