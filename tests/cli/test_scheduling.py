"""`retention run`: what is over goes without a person, and is told of."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from tests.ingest.drain_samples import DAY_NS, drain, new_store, send, traces

from aftertrace.cli import scheduling
from aftertrace.cli.config import Config, RetentionSection, load
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Retained, Retention
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention.runs import Run, last, write
from aftertrace.store.snapshot import Snapshot

from .conftest import Command
from .served import serving, until

WHY = ("--why", "case 7", "--by", "ann")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A store to which something came on each of 200 days up to today, every tenth of them; terms are 190 days."""
    monkeypatch.setenv("AFTERTRACE_RETENTION_EVIDENCE_DAYS", "190")
    monkeypatch.setenv("AFTERTRACE_RETENTION_KEEP_CONFIGURATIONS", "false")
    made, now_ns = new_store(tmp_path / "data"), time.time_ns()
    for age in range(200, -1, -10):
        send(made, traces(age + 1), received_ns=now_ns - age * DAY_NS)
    drain(made)
    seal(made)
    return made


def requests(layout: Layout) -> int:
    """How many are stored."""
    return Snapshot.of(layout.data).scan("evidence", columns=["receiver", "seq"]).collect().unique().height


def of_kind(layout: Layout, kind: type) -> list[Any]:
    """Acts of a kind."""
    return [each.act for each in acts.recorded(layout) if isinstance(each.act, kind)]


def retained(aftertrace: Command, layout: Layout) -> dict[str, Any]:
    """What `status` tells."""
    told: dict[str, Any] = json.loads(aftertrace("status", "--data", layout.data, "--format", "json").out)["retention"]
    return told


def test_what_is_over_goes_once_it_is_run(aftertrace: Command, layout: Layout) -> None:
    """No plan has to be named, for the clock is vouched for; once more, and nothing is over."""
    done = [aftertrace("retention", "run", "--data", layout.data).out for _ in range(2)]
    assert (done[0].partition(": ")[2], done[1]) == (
        "1 requests were destroyed\n",
        "nothing is over: nothing was destroyed\n",
    )
    assert requests(layout) == 20
    (order,) = of_kind(layout, Retention)
    assert order.why == "its term is over: retention.every_hours"
    assert aftertrace("verify", "--data", layout.data, "--format", "json").code == 3


def test_a_running_serve_does_it_where_that_is_asked_for(aftertrace: Command, layout: Layout) -> None:
    """In a process of its own; status says when, how much, and that files of the order wait."""
    assert retained(aftertrace, layout) == {"last": None, "waiting": 0}
    Path("aftertrace.toml").write_text(
        "[retention]\nevidence_days = 190\nkeep_configurations = false\nevery_hours = 24\n"
    )
    with serving(layout.data, "--no-dashboard"):
        until(lambda: bool(of_kind(layout, Retention)) and last(layout) is not None, 90)
        until(lambda: requests(layout) == 20, 60)
    told = retained(aftertrace, layout)
    (order,) = of_kind(layout, Retention)
    assert {**told["last"], "at_ns": 0} == {
        "at_ns": 0,
        "requests": 1,
        "contents": 0,
        "orders": [order.id],
        "problem": None,
    }
    assert told["waiting"] + len(of_kind(layout, Retained)) == 1
    page = aftertrace("status", "--data", layout.data).out
    assert "1 requests and 0 contents ordered" in page


def test_what_is_held_stays_and_what_fails_is_told(aftertrace: Command, layout: Layout) -> None:
    """A run with nothing to do, and one that could not: the next one is tried all the same."""
    assert aftertrace("hold", "add", "--source", "anonymous", "--data", layout.data, *WHY).code == 0
    stopping = threading.Event()
    with click.Context(click.Command("run")):
        assert replace(scheduling.once(layout.data, stopping), at_ns=0) == Run(0)
        (layout.data / "FORMAT").unlink()
        failed = scheduling.once(layout.data, stopping)
    assert (failed.orders, "no store there" in (failed.problem or "")) == ((), True)


def test_it_is_run_when_the_last_time_is_long_ago(layout: Layout) -> None:
    """Or is to come, as by a clock that was ahead; or nobody can tell."""
    now_ns, day_s = time.time_ns(), 86_400
    found = []
    for at_ns in (now_ns, now_ns - DAY_NS + 10**9, now_ns - DAY_NS, now_ns + DAY_NS):
        write(layout, Run(at_ns))
        found.append(scheduling.is_due(layout.data, day_s, now_ns))
    layout.retention_run.write_bytes(b"{}")
    assert [*found, scheduling.is_due(layout.data, day_s, now_ns)] == [False, False, True, True, True]


def test_the_process_is_told_the_terms_of_its_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever file these are in."""
    of = (("tag:stage=a \"b\" \\ 'c' é\n", "200"), ("agent:x", "0"))
    section = RetentionSection(evidence_days=300, evidence_days_of=of, every_hours=24, keep_configurations=False)
    told = scheduling.child(tmp_path, replace(Config(), retention=section)).environment
    assert load(None, told).retention == section


def test_the_control_serve_destroys_nothing_by_itself(aftertrace: Command, layout: Layout) -> None:
    """Unless that is asked for; and nothing follows without hours."""
    Path("aftertrace.toml").write_text("[retention]\nevidence_days = 190\nkeep_configurations = false\n")
    with serving(layout.data, "--no-dashboard") as served:
        assert served.send("traces", traces(900)) == 200
        until(lambda: requests(layout) == 22)
    assert (of_kind(layout, Retention), last(layout)) == ([], None)
    done = aftertrace("retention", "run", "--follow", "--data", layout.data)
    assert (done.code, "retention.every_hours is 0" in done.err) == (2, True)
