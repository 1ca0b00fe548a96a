"""`retention plan` with terms by agents, tags and tenants: as the analysis tells them of records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.ingest.drain_samples import DAY_NS, NOON_NS, drain, new_store, send

from .conftest import Command

SHORT, USUAL, LONG = "183", "200", "100000"


def spans(run: int, *names: str, stage: str = "prod", **attributes: str | int) -> bytes:
    """Spans of a run; the first is its root. Attributes are those of the last."""
    data = TracesData()
    resource = data.resource_spans.add()
    for key, value in (("service.name", "refunds"), ("deployment.stage", stage)):
        resource.resource.attributes.add(key=key).value.string_value = value
    scope = resource.scope_spans.add()
    for name in names:
        span = scope.spans.add(
            name=name,
            trace_id=run.to_bytes(16, "big"),
            span_id=f"{run}-{name}".encode().rjust(8, b"_")[-8:],
            start_time_unix_nano=NOON_NS + run * DAY_NS,
            end_time_unix_nano=NOON_NS + run * DAY_NS + 5,
        )
        if name.startswith("invoke_agent "):
            span.attributes.add(key="gen_ai.operation.name").value.string_value = "invoke_agent"
            span.attributes.add(key="gen_ai.agent.name").value.string_value = name.partition(" ")[2]
    for key, value in attributes.items():
        told = scope.spans[-1].attributes.add(key=key.replace("_", ".")).value
        if isinstance(value, str):
            told.string_value = value
        else:
            told.int_value = value
    return data.SerializeToString()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five runs, each in two requests of a day of November 2025; nothing stays for its configuration."""
    monkeypatch.setenv("AFTERTRACE_RETENTION_KEEP_CONFIGURATIONS", "false")
    monkeypatch.setenv("AFTERTRACE_RETENTION_EVIDENCE_DAYS", USUAL)
    layout = new_store(tmp_path / "data")
    stages = ("prod", "prod", "test", "prod", "prod")
    agents = ("refunds", "billing", "refunds", "refunds", "refunds")
    for number, (stage, agent) in enumerate(zip(stages, agents, strict=True), 1):
        told: dict[str, str | int] = {"case_id": "c7"} if number == 4 else {"case_id": 7} if number == 5 else {}
        first = spans(number, f"invoke_agent {agent}", stage=stage)
        second = spans(number, "http", stage=stage, **told)
        for payload in (first, second):
            send(layout, payload, received_ns=NOON_NS + number * DAY_NS, records=1)
    drain(layout)
    return layout.data


def runs(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch, **days_of: str) -> dict[int, list[str]]:
    """By run, the terms by which its two requests go, or why they stay."""
    table = ", ".join(f'"{name}" = "{days}"' for name, days in days_of.items())
    monkeypatch.setenv("AFTERTRACE_RETENTION_EVIDENCE_DAYS_OF", f"{{{table}}}")
    told = json.loads(aftertrace("retention", "plan", "--data", data, "--format", "json").out)
    found: dict[int, list[str]] = {}
    for each in (*told["going"], *told["staying"]):
        said = each.get("term") or each["why"]
        found.setdefault(int(each["day"][-2:]) - 25, []).extend([said] * each["requests"])
    return found


def test_an_agent_has_whole_runs(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also records that do not name it, in another request; the first name that fits counts."""
    long = f"its term is {LONG} days of agent bill*"
    found = runs(aftertrace, data, monkeypatch, **{"agent:bill*": LONG, "agent:*": "190"})
    assert found == {number: ["190 days of agent *"] * 2 if number != 2 else [long] * 2 for number in range(1, 6)}


def test_a_tag_of_a_resource_has_what_it_sent(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before the agent."""
    found = runs(aftertrace, data, monkeypatch, **{"tag:deployment.stage=t*t": SHORT, "agent:refunds": LONG})
    assert found.pop(3) == [f"{SHORT} days of tag deployment.stage=t*t"] * 2
    assert found.pop(2) == [f"{USUAL} days"] * 2
    assert set(map(tuple, found.values())) == {(f"its term is {LONG} days of agent refunds",) * 2}


def test_a_tag_of_a_record_has_its_run(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text as it is, a number as in JSON; no other key, and no value that begins so."""
    found = runs(aftertrace, data, monkeypatch, **{"tag:case.id=c7": LONG, "tag:case.id=7": "0", "tag:case=*": "0"})
    usual = [f"{USUAL} days"] * 2
    assert found == {
        **dict.fromkeys(range(1, 4), usual),
        4: [f"its term is {LONG} days of tag case.id=c7"] * 2,
        5: ["its term is for ever of tag case.id=7"] * 2,
    }


def test_the_control_names_that_nothing_has(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual term counts, and the page says so."""
    found = runs(aftertrace, data, monkeypatch, **{"tag:case.id=c": "0", "agent:refund": "0", "tenant:*": "0"})
    assert found == dict.fromkeys(range(1, 6), [f"{USUAL} days"] * 2)
    page = aftertrace("retention", "plan", "--data", data).out.splitlines()
    assert (len(page), page[0].endswith(f": its term is over, {USUAL} days")) == (7, True)
