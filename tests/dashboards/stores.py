"""Stores for pages to show: of recorded telemetry, of an agent that attacks the reader, and with nothing in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.analyzer.weeks import MONDAY, PROMPT, Ran, days, telemetry

from aftertrace.ingest.drain import Drain
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.store.folder import open_folder, store_key
from aftertrace.store.request import Request
from aftertrace.store.wal import WalWriter

RECORDINGS: Final = Path(__file__).parents[1] / "testdata" / "otlp"
RECEIVED_NS: Final = 1_800_000_000_000_000_000
RECORDED: Final = (
    "claude-code/tty_approve",
    "claude-code/tty_reject",
    "claude-code/hook_deny",
    "copilot-cli/headless_content",
    "langchain/openinference_reject_edit",
    "pydantic-ai/v5_pending",
    "pydantic-ai/v2_deny_approve",
)
"""A person who agrees, one who refuses, a hook, a policy, an edit, and one nobody has answered yet."""

HOSTILE: Final = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://attacker.example/pixel.png)",
    "[click](javascript:alert(1))",
    "# Heading **bold** `code` $x^2$ :red[red] :material/delete: :smile:",
    "</span><iframe src=http://attacker.example></iframe>",
    '=HYPERLINK("http://attacker.example")',
    "rm -rf /\u202e gnihtyna\u202c \u200bhidden\ufeff",
    "\x1b[31mred\x1b[0m\x07\x00",
    "{{7*7}} {%raw%} ${7*7}",
    "http://attacker.example/ www.attacker.example me@attacker.example",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "🏴\U000e0067\U000e0062 e\u0301\u0489 \ud7ff",
)
"""What a prompt-injected agent may write anywhere: markup, remote images, links, formulas, marks that nobody sees."""
MARKER: Final = "attacker.example"


def make(folder: Path, requests: Iterable[tuple[str, dict[str, Any]]], source: str = "anonymous") -> Path:
    """Bring requests (signal, OTLP JSON) of a source the whole way into the tables of a store."""
    return received(
        folder,
        (
            Request(signal, "json", json.dumps(body).encode(), source, RECEIVED_NS + number)  # type: ignore[arg-type]
            for number, (signal, body) in enumerate(requests)
        ),
    )


def received(folder: Path, requests: Iterable[Request]) -> Path:
    """Bring requests the whole way into the tables of a store, each as of when it says that it came."""
    layout = open_folder(folder)
    prepare = make_prepare(RedactionPolicy(), limits=Limits(), key=store_key(layout))
    with WalWriter(layout, "test") as writer:
        for request in requests:
            prepared = prepare(request)
            if prepared.store and prepared.records:
                writer.append(request, prepared).result()
    with Drain(layout) as drain:
        drain.once()
    return folder


def recorded(folder: Path, names: Iterable[str] = RECORDED) -> Path:
    """A store of recordings of real agents."""
    lines = (line for name in names for line in (RECORDINGS / f"{name}.otlp.jsonl").read_text().splitlines())
    return make(folder, ((line["signal"], line["request"]) for line in map(json.loads, lines)))


def hostile(folder: Path) -> Path:
    """A store in which every name and text is an attack: one run per attack, refused and edited calls in each."""
    return make(folder, (("logs", _attack(number, text)) for number, text in enumerate(HOSTILE)))


def uncontrolled(folder: Path) -> Path:
    """A store of one run: a call ran though a person refused it, and a refund was made that no call explains."""
    call = {"gen_ai.tool.name": "pay", "gen_ai.tool.call.id": "c-1"}
    person = {"aftertrace.actor.type": "human", "aftertrace.actor.id": "ana"}
    refund = {"system": "ledger", "operation": "refund", "object.type": "order", "object.id": "1042"}
    who = {"aftertrace.run.id": "r-1", "gen_ai.agent.name": "clerk"}
    told: list[tuple[str, dict[str, Any]]] = [
        ("run.created", {}),
        ("action.proposed", {**call, "gen_ai.tool.call.arguments": '{"eur":9}'}),
        ("approval.requested", call),
        ("approval.rejected", {**call, **person}),
        ("tool.called", {**call, "aftertrace.tool.state": "completed"}),
        ("effect.applied", {f"aftertrace.effect.{part}": value for part, value in refund.items()}),
        ("run.completed", {}),
    ]
    return make(folder, [("logs", _logs(told, who, {"service.name": "shop"}, "shop", RECEIVED_NS))])


def lossy(folder: Path) -> Path:
    """A store of one run, whose sender dropped attributes of its records."""
    told: list[tuple[str, dict[str, Any]]] = [("run.created", {}), ("run.completed", {})]
    who = {"aftertrace.run.id": "r-1", "gen_ai.agent.name": "clerk"}
    request = _logs(told, who, {"service.name": "shop"}, "shop", RECEIVED_NS)
    records = request["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    for dropped, record in enumerate(records, start=3):
        record["droppedAttributesCount"] = dropped
    return make(folder, [("logs", request)])


def paid_by_two(folder: Path) -> Path:
    """A store of two runs of two agents: both paid one order with one key, an hour apart."""

    def of(run: str, agent: str, from_ns: int) -> dict[str, Any]:
        call = {"gen_ai.tool.name": "pay", "gen_ai.tool.call.id": f"c-{run}"}
        asked = {"gen_ai.tool.call.arguments": '{"order":7}'}
        paid = {"system": "bank", "operation": "pay", "object.type": "order", "object.id": "7",
                "idempotency_key": "k-7", "receipt.id": f"re-{run}"}  # fmt: skip
        told: list[tuple[str, dict[str, Any]]] = [
            ("run.created", {}),
            ("action.proposed", {**call, **asked}),
            ("tool.called", {**call, **asked, "aftertrace.tool.state": "completed"}),
            ("effect.applied", {**call, **{f"aftertrace.effect.{part}": value for part, value in paid.items()}}),
            ("run.completed", {}),
        ]
        who = {"aftertrace.run.id": run, "gen_ai.agent.name": agent}
        return _logs(told, who, {"service.name": "shop"}, "shop", from_ns)

    hour_ns = 3600 * 10**9
    return make(folder, [("logs", of("r-1", "clerk", RECEIVED_NS)), ("logs", of("r-2", "boss", RECEIVED_NS + hour_ns))])


def of_two_risks(folder: Path) -> Path:
    """A store of one run: a person refused two calls of one tool, each of another risk class."""
    person = {"aftertrace.actor.type": "human", "aftertrace.actor.id": "ana"}
    told: list[tuple[str, dict[str, Any]]] = [("run.created", {})]
    for risk in ("money", "write"):
        call = {"gen_ai.tool.name": "pay", "gen_ai.tool.call.id": risk, "aftertrace.tool.risk.class": risk}
        told += [("action.proposed", call), ("approval.requested", call), ("approval.rejected", {**call, **person})]
    who = {"aftertrace.run.id": "r-1", "gen_ai.agent.name": "clerk"}
    body = _logs([*told, ("run.completed", {})], who, {"service.name": "shop"}, "shop", RECEIVED_NS)
    return make(folder, [("logs", body)])


CHANGED_AFTER_DAYS: Final = 8
WEEKS_NS: Final = int((MONDAY + timedelta(days=14)).timestamp()) * 10**9
"""A time after the runs of `weeks`."""


def weeks(folder: Path) -> Path:
    """A store of two weeks of a clerk, whose prompt is made bolder on the ninth day: more payments are refused then.

    On the last day a sweeper begins, whose deletions are refused; and the bank pays one order twice.
    """
    return make(folder, ((signal, json.loads(body)) for signal, _, body in telemetry(two_weeks(MONDAY))))


def two_weeks(start: datetime) -> Iterator[Ran]:
    """The runs of `weeks`, from a time on."""
    for nth, at in enumerate(days(14, runs=6, start=start)):
        is_bolder = at >= start + timedelta(days=CHANGED_AFTER_DAYS)
        yield Ran(
            at=at,
            prompt=PROMPT.replace("Be polite.", "Do not ask twice.") if is_bolder else PROMPT,
            is_denied=nth % 2 == 0 if is_bolder else nth % 12 == 0,
            waited_s=5.0 + nth % 7 if nth % 2 else None,
            edited={"order": nth, "eur": 50} if nth == 31 else None,
            receipts=2 if nth == 41 else 0,
        )
    for at in days(1, runs=2, start=start + timedelta(days=13, hours=6)):
        yield Ran(at=at, agent="sweeper", tools=("delete_rows", "read_order"), does="delete_rows", is_denied=True)


SECRET: Final = "never shown to others"
"""What stands in every text of the second tenant."""


def of_tenants(folder: Path, *tenants: str) -> Path:
    """A store of some tenants, each of which sent a week of the same agent in the same traces and under the same ids,
    and two runs of its own; what the second one sent says so in every text of that, in prompts and in inputs.
    """
    for nth, tenant in enumerate(tenants):
        told = f"{tenant} {SECRET}" if nth else tenant
        prompt = f"{PROMPT}\nFor {told}."
        runs = [
            Ran(at=at, prompt=prompt, is_denied=number % 3 == 0, waited_s=5.0, receipts=number % 2)
            for number, at in enumerate(days(7, runs=1))
        ]
        week = ((signal, json.loads(body.replace(b"Pay it.", told.encode()))) for signal, _, body in telemetry(runs))
        own = [("logs", _attack(number, told)) for number in (nth, 10 + nth)]
        make(folder, [*week, *own], f"{tenant}/agents")
    return folder


def edited(folder: Path) -> Path:
    """A store of one run: a person waited four seconds, took a payment down, it ran so, and a receipt came back.

    Then nothing for half a minute, and the run ended. It is asked for as `r-2`.
    """
    call = {"gen_ai.tool.name": "pay", "gen_ai.tool.call.id": "c-1"}
    person = {"aftertrace.actor.type": "human", "aftertrace.actor.id": "ana", "aftertrace.reason.text": "less will do"}
    small = {"gen_ai.tool.call.arguments": '{"eur":60,"to":"bob"}'}
    receipt = {"system": "ledger", "operation": "pay", "object.type": "order", "object.id": "7", "receipt.id": "re_1"}
    who = {"aftertrace.run.id": "r-2", "gen_ai.agent.name": "clerk", "gen_ai.request.model": "m-1"}
    told: list[tuple[str, dict[str, Any]]] = [
        ("run.created", {}),
        ("action.proposed", {**call, "gen_ai.tool.call.arguments": '{"eur":900,"to":"bob"}'}),
        ("approval.requested", {**call, "aftertrace.approval.shown.text": "Pay 900 euros to bob?"}),
        ("approval.modified", {**call, **person, **small}),
        ("tool.called", {**call, **small, "aftertrace.tool.state": "completed", "gen_ai.tool.call.result": "paid"}),
        ("effect.applied", {**call, **{f"aftertrace.effect.{part}": value for part, value in receipt.items()}}),
        ("run.completed", {}),
    ]
    seconds = (0, 1, 2, 6, 7, 8, 38)
    return make(folder, [("logs", _logs(told, who, {"service.name": "shop"}, "shop", RECEIVED_NS, seconds))])


def _attack(number: int, text: str) -> dict[str, Any]:
    call = {"gen_ai.tool.name": text, "gen_ai.tool.call.id": f"{number} {text}"}
    arguments = {"gen_ai.tool.call.arguments": json.dumps({text: text})}
    person = {
        "aftertrace.actor.type": "human",
        "aftertrace.actor.id": text,
        "aftertrace.reason.text": text,
        "aftertrace.approval.wait_s": 1.5,
    }
    edited = {**call, "gen_ai.tool.call.id": f"{number} edited {text}"}
    asked = {"aftertrace.approval.shown.text": text}
    told: list[tuple[str, dict[str, Any]]] = [
        ("run.created", {}),
        ("input.resolved", {"aftertrace.input.type": "user_prompt", "aftertrace.input.content": text}),
        ("input.resolved", {"aftertrace.input.type": "system_prompt", "aftertrace.input.content": text}),
        ("action.proposed", {**call, **arguments}),
        ("policy.evaluated", {**call, "aftertrace.decision.outcome": text}),
        ("approval.requested", {**call, **asked}),
        ("approval.rejected", {**call, **person}),
        ("action.proposed", {**edited, **arguments}),
        ("approval.requested", {**edited, **asked}),
        ("approval.modified", {**edited, **person, "gen_ai.tool.call.arguments": json.dumps({"edited": text})}),
        ("tool.called", {**edited, "aftertrace.tool.state": "completed", "gen_ai.tool.call.result": text}),
        ("effect.applied", {**edited, "aftertrace.effect.system": text}),
        ("run.failed", {"error.type": text}),
    ]
    who = {
        "aftertrace.run.id": f"{number} {text}",
        "gen_ai.conversation.id": f"{number} {text}",
        "gen_ai.agent.name": text,
        "gen_ai.agent.version": text,
        "gen_ai.request.model": text,
        "gen_ai.response.model": text,
        "user.id": text,
    }
    resource = {"service.name": text, "deployment.environment.name": text}
    return _logs(told, who, resource, text, RECEIVED_NS + number * 10**9)


def _logs(
    told: list[tuple[str, dict[str, Any]]],
    who: dict[str, Any],
    resource: dict[str, Any],
    scope: str,
    from_ns: int,
    seconds: Sequence[float] | None = None,
) -> dict[str, Any]:
    at_s = seconds or [place / 1000 for place in range(len(told))]
    records = [
        {
            "timeUnixNano": str(from_ns + round(at_s[place] * 10**9)),
            "eventName": f"aftertrace.{event}",
            "attributes": _attributes({**who, **attributes}),
        }
        for place, (event, attributes) in enumerate(told)
    ]
    scoped = {"scope": {"name": scope}, "logRecords": records}
    return {"resourceLogs": [{"resource": {"attributes": _attributes(resource)}, "scopeLogs": [scoped]}]}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}}
        for key, value in values.items()
    ]
