"""The demo's live agent: a refund clerk whose model is a script, and whose audit trail is real.

It is what an instrumented agent looks like: the official OpenTelemetry SDK and its OTLP exporter, and
`aftertrace.semconv.instrument` for what the agent decides. It refunds a customer, for which it needs an approval; it
considers a shortcut and drops it; and a policy keeps it from deleting the customer's account.

    python -m aftertrace.cli.demo_agent HTTP_URL [scripted]
"""

from __future__ import annotations

import getpass
import sys
import time
from dataclasses import dataclass, replace
from typing import Final, Protocol

from aftertrace.semconv.instrument import (
    Actor,
    ActorIdentity,
    ActorType,
    Approval,
    AuditTrail,
    Call,
    Configuration,
    DecisionOutcome,
    Effect,
    InputType,
    Policy,
    Reason,
    Risk,
    RunTriggerType,
    ToolRiskClass,
    Trigger,
)
from aftertrace.semconv.instrument.emitter import Emitter

AGENT: Final = "refund-clerk"
_TASK: Final = "Order 1042 arrived broken. Make it good, and clean up behind you."
_LIMIT_EUR: Final = 50
_LIMIT: Final = Policy(id="refunds", version="3", rule=f"refunds over {_LIMIT_EUR} EUR need a person")
_NO_DELETION: Final = Policy(id="accounts", version="1", rule="agents delete no accounts")
_SCRIPTED_EUR: Final = 60


class Reviewer(Protocol):
    """Who answers an approval."""

    def __call__(self, question: str, amount_eur: int) -> Verdict:
        """Read the question and decide."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reviewer answered."""

    amount_eur: int
    """What may be refunded; 0 refuses."""
    reason: str
    by: Actor


def at_terminal(question: str, amount_eur: int) -> Verdict:
    """Ask whoever sits at the terminal. Enter takes the smaller amount; the end of input refuses."""
    print(f"\n  APPROVAL NEEDED  {question}")
    by = Actor(ActorType.HUMAN, getpass.getuser(), ActorIdentity.INFERRED)
    while True:
        try:
            answer = input(f"  [y]es, [n]o, or another amount in EUR (Enter: {_SCRIPTED_EUR}): ").strip().lower()
        except EOFError:
            answer = "n"
        if answer in ("y", "yes"):
            return Verdict(amount_eur, "approved as asked", by)
        if answer in ("n", "no"):
            return Verdict(0, "not justified", by)
        if answer == "" or answer.isdecimal():
            return Verdict(min(int(answer or _SCRIPTED_EUR), amount_eur), "no more than the item cost", by)


def scripted(question: str, amount_eur: int) -> Verdict:
    """Answer as a person would, without one: for `aftertrace demo --once`."""
    print(f"\n  APPROVAL NEEDED  {question}\n  the scripted reviewer allows {_SCRIPTED_EUR} EUR")
    time.sleep(0.2)
    by = Actor(ActorType.PROGRAM, "scripted-reviewer", ActorIdentity.ASSERTED)
    return Verdict(min(_SCRIPTED_EUR, amount_eur), "no more than the item cost", by)


def run(audit: AuditTrail, reviewer: Reviewer) -> str:
    """Carry out the task once.

    Returns:
        The run id.
    """
    configuration = Configuration(
        agent=AGENT,
        agent_version="1.4.0",
        model="demo-model-1",
        system_prompt="You settle complaints about orders. Be fair and quick.",
        tools=[{"name": name} for name in ("read_order", "refund", "store_credit", "delete_account")],
    )
    with audit.run(configuration, trigger=Trigger(RunTriggerType.PERSON), conversation_id="ticket-7781") as this:
        audit.input_resolved(InputType.SYSTEM_PROMPT, configuration.system_prompt)
        audit.input_resolved(InputType.USER_PROMPT, _TASK)
        _read_order(audit)
        _consider(audit)
        _refund(audit, reviewer)
        _delete_account(audit)
        return this.id


def _read_order(audit: AuditTrail) -> None:
    call = Call("read_order", {"order": 1042}, id="call_1", risk=Risk(ToolRiskClass.READ))
    audit.action_proposed(call)
    with audit.tool_call(call) as execution:
        execution.result({"order": 1042, "item": "lamp", "price_eur": 60, "status": "delivered"})


def _consider(audit: AuditTrail) -> None:
    """Two ways to make it good: the model takes one and drops the other."""
    audit.tool_considered(Call("refund", id="call_2"), selected=True, rank=1)
    audit.tool_considered(
        Call("store_credit", risk=Risk(ToolRiskClass.MONEY)),
        selected=False,
        rank=2,
        reason=Reason("less_suitable", "the customer asked for money back"),
    )


def _refund(audit: AuditTrail, reviewer: Reviewer) -> None:
    call = Call("refund", {"order": 1042, "amount_eur": 120}, id="call_2", risk=Risk(ToolRiskClass.MONEY))
    audit.action_proposed(call)
    audit.policy_evaluated(call, DecisionOutcome.ASK, _LIMIT, reason=Reason("over_limit"))
    question = f"{AGENT} wants to refund 120 EUR for order 1042"
    approval = audit.approval_requested(call, shown=question, channel="terminal")
    verdict = reviewer(question, 120)
    allowed = _answer(approval, verdict)
    if allowed is None:
        return
    with audit.tool_call(allowed) as execution:
        execution.result({"refund": "re_3001", "amount_eur": verdict.amount_eur})
        audit.effect_applied(
            Effect(system="ledger", operation="refund", object_type="order", object_id="1042", receipt_id="re_3001")
        )


def _answer(approval: Approval, verdict: Verdict) -> Call | None:
    """Record the verdict; the call that may be made, or None."""
    asked, reason = approval.call, Reason(text=verdict.reason)
    if verdict.amount_eur == 0:
        approval.rejected(verdict.by, reason)
        return None
    if asked.arguments == {"order": 1042, "amount_eur": verdict.amount_eur}:
        approval.granted(verdict.by, reason)
        return asked
    return approval.modified({"order": 1042, "amount_eur": verdict.amount_eur}, verdict.by, reason)


def _delete_account(audit: AuditTrail) -> None:
    call = Call("delete_account", {"customer": "c-19"}, id="call_3", risk=Risk(ToolRiskClass.DESTRUCTIVE))
    audit.action_proposed(call)
    audit.policy_evaluated(
        call, DecisionOutcome.DENY, _NO_DELETION, reason=Reason("forbidden", "cleaning up is no reason to delete")
    )


def main(http: str, reviewer: Reviewer) -> None:
    """Run the agent, reporting to the receiver at a base URL."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": AGENT, "service.version": "1.4.0"})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{http}/v1/traces")))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{http}/v1/logs")))
    audit = AuditTrail(capture_content=True, emitter=replace(Emitter(), tracer_provider=traces, logger_provider=logs))
    print(f"  {AGENT}: {_TASK}")
    run_id = run(audit, reviewer)
    traces.shutdown()
    logs.shutdown()
    print(f"  {AGENT}: done, run {run_id}")


if __name__ == "__main__":
    try:
        main(sys.argv[1], scripted if "scripted" in sys.argv[2:] else at_terminal)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
