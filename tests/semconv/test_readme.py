"""The README: every block runs, and the two ways of saying one run send equal telemetry."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aftertrace.semconv import event_names
from aftertrace.semconv.instrument import AuditTrail
from aftertrace.semconv.testing import Recorder

README = Path(__file__).parents[2] / "semconv" / "README.md"
VOLATILE = ("time_ns", "start_ns", "end_ns", "aftertrace.approval.wait_s")
IDS = ("trace_id", "span_id", "parent_span_id", "log.record.uid", "aftertrace.run.id", "aftertrace.approval.id")


def blocks() -> list[str]:
    """The Python blocks, in order."""
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def ran() -> dict[str, Any]:
    """The names that are left when all blocks have run, one after the other."""
    names: dict[str, Any] = {}
    for block in blocks():
        exec(block, names)  # noqa: S102 - the README is ours
    return names


def essence(recorder: Recorder) -> Any:
    """Everything that was sent, with each id replaced by the order of its first use, and without times."""
    ids: dict[str, int] = {}

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: plain(v, k) for k, v in sorted(value.items()) if k not in VOLATILE}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return ids.setdefault(value, len(ids)) if key in IDS or value in ids else value

    sent = [*map(asdict, recorder.events()), *map(asdict, recorder.spans())]
    return plain(json.loads(json.dumps(sent)))


def test_every_block_runs() -> None:
    """One after the other, in one namespace; the assertions in them hold."""
    assert len(blocks()) == 5
    ran()


def test_the_api_and_plain_opentelemetry_send_equal_telemetry() -> None:
    """The same run, said twice: equal spans, equal events, in equal order."""
    names = ran()
    with_api, plain = Recorder(), Recorder()
    names["with_the_api"](AuditTrail(emitter=with_api.emitter))
    names["with_plain_opentelemetry"](
        plain.tracer_provider.get_tracer("plain"), plain.logger_provider.get_logger("plain")
    )
    assert essence(with_api) == essence(plain)
    assert len(with_api.events()) == 11
    assert [span.name for span in with_api.spans()] == [
        "approval refund",
        "execute_tool refund",
        "invoke_agent refund-agent",
    ]


def test_the_comparison_sees_a_difference() -> None:
    """Negative control: content on one side alone makes the two unequal."""
    names = ran()
    with_content, without = Recorder(), Recorder()
    names["with_the_api"](AuditTrail(capture_content=True, emitter=with_content.emitter))
    names["with_the_api"](AuditTrail(emitter=without.emitter))
    assert essence(with_content) != essence(without)


def test_every_event_is_in_the_table() -> None:
    """The short table of the README leaves out no event."""
    table = README.read_text(encoding="utf-8").split("| events | say |")[1].split("##")[0]
    listed = {f"aftertrace.{name}" for name in re.findall(r"`([a-z]+\.[a-z]+)`", table)}
    listed |= {f"aftertrace.approval{name}" for name in re.findall(r"`(\.[a-z]+)`", table)}
    assert listed == set(event_names.REQUIRED_ATTRIBUTES)
