"""The API in a process: content, missing SDKs, a kill, and what is loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from aftertrace.semconv import metric_names
from aftertrace.semconv.canonical import digest
from aftertrace.semconv.instrument import (
    AuditTrail,
    Call,
    Configuration,
    DecisionOutcome,
    Effect,
    InputType,
)
from aftertrace.semconv.instrument.emitter import Emitter
from aftertrace.semconv.testing import CountingClock

if TYPE_CHECKING:
    from tests.semconv.conftest import Trail


DURATIONS = (metric_names.AFTERTRACE_RUN_DURATION, metric_names.AFTERTRACE_APPROVAL_DURATION)


def test_content_leaves_only_when_asked_for(make_trail: type[Trail]) -> None:
    """With the flag, each content stands beside its digest and is what the digest is over; without, it is nowhere."""
    sent = {}
    for capture in (True, False):
        trail = make_trail(capture_content=capture)
        trail.configuration = Configuration(
            agent="refunds", system_prompt="SECRET", tools=[{"name": "t", "d": "SECRET"}]
        )
        call = Call("refund", {"a": "SECRET"})
        with trail.run():
            trail.audit.input_resolved(InputType.USER_PROMPT, "SECRET")
            trail.audit.retrieval_completed("SECRET", {"a": "SECRET"})
            trail.audit.plan_recorded("SECRET")
            trail.audit.approval_requested(call, shown="SECRET").modified({"a": "SECRET"}, make_trail.REVIEWER)
            with trail.audit.tool_call(call) as execution:
                execution.result("SECRET")
        sent[capture] = [*trail.recorder.events(), *trail.recorder.spans()]
    assert "SECRET" not in repr(sent[False])
    texts = {
        "aftertrace.tool.arguments.digest": "gen_ai.tool.call.arguments",
        "aftertrace.tool.result.digest": "gen_ai.tool.call.result",
        "aftertrace.input.digest": "aftertrace.input.content",
        "aftertrace.plan.digest": "aftertrace.plan.content",
        "aftertrace.approval.shown.digest": "aftertrace.approval.shown.text",
        "aftertrace.retrieval.query.digest": "gen_ai.retrieval.query.text",
        "aftertrace.configuration.system_prompt.digest": "gen_ai.system_instructions",
        "aftertrace.configuration.tools.digest": "gen_ai.tool.definitions",
    }
    seen = set()
    for record in sent[True]:
        for digest_name, text_name in texts.items():
            if digest_name in record.attributes:
                seen.add(digest_name)
                assert record.attributes[digest_name] == digest(str(record.attributes[text_name]).encode())
    assert seen == set(texts)


def test_without_a_logs_sdk_events_take_the_span(make_trail: type[Trail]) -> None:
    """The same events, as events of the span that was current."""
    trail = make_trail(with_logs=False)
    with trail.run(), trail.audit.tool_call(make_trail.REFUND):
        pass
    assert trail.recorder.events() == ()
    tool, root = trail.recorder.spans()
    assert [event.name for event in root.events] == ["aftertrace.run.created", "aftertrace.run.completed"]
    assert [event.attributes["aftertrace.tool.state"] for event in tool.events] == ["started", "completed"]
    assert not any(event.missing for event in (*root.events, *tool.events))


def test_with_the_api_alone_nothing_happens(make_trail: type[Trail]) -> None:
    """No SDK, no run: every call is harmless."""
    audit = AuditTrail()
    with audit.run(), audit.tool_call(make_trail.REFUND), audit.approval_requested(make_trail.REFUND) as approval:
        approval.granted(make_trail.REVIEWER)
    audit.effect_applied(Effect(system="stripe"))


def test_decisions_waits_and_runs_are_counted(make_trail: type[Trail]) -> None:
    """Refusals too, which no other metric counts."""
    reader = InMemoryMetricReader()
    trail = make_trail()
    emitter = Emitter(meter_provider=MeterProvider(metric_readers=[reader]), clock_ns=CountingClock())
    trail.audit = AuditTrail(emitter=emitter)
    with trail.run():
        trail.audit.policy_evaluated(make_trail.REFUND, DecisionOutcome.ASK)
        trail.audit.approval_requested(make_trail.REFUND).rejected(make_trail.REVIEWER)
    read = reader.get_metrics_data()
    assert read is not None
    metrics = {metric.name: metric for metric in read.resource_metrics[0].scope_metrics[0].metrics}
    assert set(metrics) == {metric_names.AFTERTRACE_DECISIONS, *DURATIONS}
    decisions = {
        (point.attributes["aftertrace.decision.outcome"], point.attributes["aftertrace.actor.type"]): point.value
        for point in metrics[metric_names.AFTERTRACE_DECISIONS].data.data_points
    }
    assert decisions == {("ask", "policy"): 1, ("deny", "human"): 1}
    assert [(metrics[name].unit, metrics[name].data.data_points[0].count) for name in DURATIONS] == [("s", 1)] * 2


KILLED = """
import os, signal
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, SimpleLogRecordProcessor
from aftertrace.semconv.instrument import AuditTrail, Call

provider = LoggerProvider()
console = ConsoleLogRecordExporter(formatter=lambda log: log.log_record.event_name + "\\n")
provider.add_log_record_processor(SimpleLogRecordProcessor(console))
set_logger_provider(provider)
audit = AuditTrail()
with audit.run(), audit.approval_requested(Call("deploy")):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_agent_still_has_a_run() -> None:
    """SIGKILL in the middle of a wait: the run and the request had left before."""
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.split() == ["aftertrace.run.created", "aftertrace.approval.requested"]


WEIGHT = """
import sys
before = set(sys.modules)
import aftertrace.semconv.instrument, aftertrace.semconv.propagate, aftertrace.semconv.testing
print(*{name for name in set(sys.modules) - before})
"""


def test_an_instrumented_agent_loads_the_api_and_nothing_else() -> None:
    """In a fresh interpreter: the standard library, `opentelemetry-api` and what that needs."""
    fresh = subprocess.run(
        [sys.executable, "-c", WEIGHT], capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ)
    )
    loaded = fresh.stdout.split()
    foreign = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"aftertrace"}
    assert foreign == {"opentelemetry", "typing_extensions"}
    assert not [name for name in loaded if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
    assert not [name for name in loaded if name.startswith(("aftertrace.store", "aftertrace.ingest"))]
