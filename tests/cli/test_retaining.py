"""`retention`: what is over is told before it goes, and goes as it was told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.ingest.drain_samples import DAY_NS, NOON_NS, drain, new_store, send

from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention.plan import planned as plan
from aftertrace.store.retention.policy import Policy, Terms
from aftertrace.store.snapshot import Snapshot

from .conftest import Command

WHY = ("--why", "over", "--by", "ann")
TODAY = ("--today", datetime.now(UTC).date().isoformat())
"""Nothing has come for long."""


def run_of(number: int, model: str) -> bytes:
    """A run of an agent with a model."""
    data = TracesData()
    resource = data.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "refunds"
    span = resource.scope_spans.add().spans.add(
        name="invoke_agent refunds",
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        start_time_unix_nano=NOON_NS + number * DAY_NS,
        end_time_unix_nano=NOON_NS + number * DAY_NS + 5,
    )
    told = {"operation.name": "invoke_agent", "agent.name": "refunds", "request.model": model}
    for key, value in told.items():
        span.attributes.add(key=f"gen_ai.{key}").value.string_value = value
    return data.SerializeToString()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of runs on five days of November 2025, the last one with another model."""
    monkeypatch.setenv("AFTERTRACE_RETENTION_EVIDENCE_DAYS", "183")
    layout = new_store(tmp_path / "data")
    for number, model in enumerate("aaaab"):
        send(layout, run_of(number + 1, model), received_ns=NOON_NS + number * DAY_NS, records=1)
    drain(layout)
    seal(layout)
    return layout.data


def planned(aftertrace: Command, data: Path) -> dict[str, Any]:
    """What `retention plan` tells."""
    told: dict[str, Any] = json.loads(aftertrace("retention", "plan", "--data", data, "--format", "json").out)
    return told


def days(told: dict[str, Any]) -> tuple[list[str], list[tuple[str, str]]]:
    """Which days go, and which stay and why."""
    going = [each["day"][-2:] for each in told["going"]]
    return going, [(each["day"][-2:], each["why"].partition(":")[0].split(" of ", 1)[1]) for each in told["staying"]]


def run_ids(aftertrace: Command, data: Path) -> list[str]:
    """Runs, the oldest first."""
    listed = aftertrace("runs", "--data", data, "--format", "json").out.splitlines()
    return [each["run_id"] for each in sorted(map(json.loads, listed), key=lambda each: each["first_ns"])]


def test_what_a_plan_says_goes_and_nothing_else(aftertrace: Command, data: Path) -> None:
    """Held runs and first runs of configurations stay; a plan of before is refused; the page names how to go on."""
    runs = run_ids(aftertrace, data)
    before = planned(aftertrace, data)
    assert days(before) == (["26", "27", "28"], [("25", "a configuration"), ("29", "a configuration")])
    assert aftertrace("hold", "add", "--run", runs[2], "--data", data, *WHY).code == 0
    told = planned(aftertrace, data)
    assert days(told)[0] == ["26", "28"]
    assert days(told)[1][1] == ("27", f"run {runs[2]}")
    refused = aftertrace("retention", "apply", "--plan", before["plan"], "--data", data, *WHY, *TODAY)
    assert (refused.code, "look at it again" in refused.err) == (2, True)
    page = aftertrace("retention", "plan", "--data", data).out.splitlines()
    assert page[-1] == f"to destroy this: aftertrace retention apply --plan {told['plan'][:16]} --why '…'"
    done = aftertrace("retention", "apply", "--plan", told["plan"][:16], "--data", data, *WHY, *TODAY)
    assert (done.code, done.out.partition(" ")[2]) == (0, "2 requests were destroyed\n")
    assert run_ids(aftertrace, data) == [runs[0], runs[2], runs[4]]
    report = json.loads(aftertrace("verify", "--data", data, "--format", "json").out)
    assert (report["integrity"], report["completeness"]) == ("holds", "holds")
    assert {each["code"] for each in report["findings"]} == {"destroyed"}
    assert aftertrace("fsck", "--data", data).code == 0


def test_an_order_that_goes_round_the_command_is_compared_too(aftertrace: Command, data: Path) -> None:
    """Written to `acts/` by hand, for what an agent and a run hold: refused; the control: once they are released."""
    layout, policy = Layout(data), Policy(Terms(183), keeps_configurations=False)
    holds = [
        aftertrace("hold", "add", "--data", data, *what, *WHY).out.strip()
        for what in (("--agent", "refunds"), ("--run", run_ids(aftertrace, data)[2]))
    ]
    told = []
    for hold in (*holds, None):
        known = acts.recorded(layout)
        whole = plan(Snapshot.of(data), policy, (), datetime.now(UTC).date(), acts.last_hold(known))
        ident = acts.ask_to_destroy(layout, whole.order("mallory", "because", datetime.now(UTC).date()))
        assert aftertrace("drain", "--data", data).code == 0
        told.append((acts.refusal(layout, ident) or "").partition(" of ")[0])
        if hold:
            aftertrace("hold", "release", hold, "--data", data, *WHY)
    assert told == [f"hold {holds[0]}", f"hold {holds[1]}", ""]
    aftertrace("drain", "--data", data)
    assert run_ids(aftertrace, data) == []


def test_a_clock_that_jumped_destroys_nothing(aftertrace: Command, data: Path) -> None:
    """Nothing was received for a year: it is refused until somebody says the day, and another day is refused too."""
    told = planned(aftertrace, data)
    arguments = ("retention", "apply", "--plan", told["plan"], "--data", data, *WHY)
    ended = [aftertrace(*arguments), aftertrace(*arguments, "--today", "2025-11-29")]
    assert [each.code for each in ended] == [2, 2]
    assert "the newest record was received on 2025-11-29; set the clock, or say that it is right: --today" in " ".join(
        ended[0].err.split()
    )
    assert "expected both to be one" in ended[1].err
    assert (len(run_ids(aftertrace, data)), list((data / "acts").glob("*"))) == (5, [])
    assert aftertrace(*arguments, *TODAY).code == 0
    assert len(run_ids(aftertrace, data)) == 2


def test_a_hold_of_an_agent_keeps_all_its_runs(aftertrace: Command, data: Path) -> None:
    """Until it is released."""
    held = aftertrace("hold", "add", "--agent", "refunds", "--data", data, *WHY).out.strip()
    told = planned(aftertrace, data)
    assert days(told)[0] == []
    done = aftertrace("retention", "apply", "--plan", told["plan"], "--data", data, *WHY, *TODAY)
    assert (done.code, done.out) == (0, "nothing is over: nothing was destroyed\n")
    aftertrace("hold", "release", held, "--data", data, *WHY)
    assert days(planned(aftertrace, data))[0] == ["26", "27", "28"]


Told = dict[str, Any]


def certified(aftertrace: Command, data: Path) -> tuple[Path, Told]:
    """The certificate of what is over, and the key beside it, with no store there any more."""
    done = aftertrace("retention", "apply", "--plan", planned(aftertrace, data)["plan"], "--data", data, *WHY, *TODAY)
    order = done.out.partition(":")[0]
    written = aftertrace("retention", "certificate", order, "--data", data)
    assert written.code == 0
    file = data.with_name("certificate.json")
    file.write_text(written.out)
    (data / "ledger" / "key").rename(data.with_name("key"))
    data.rename(data.with_name("away"))
    told: Told = json.loads(written.out)
    assert told["order"] == order
    return file, told


def test_a_certificate_says_what_was_destroyed_and_needs_the_key_alone(aftertrace: Command, data: Path) -> None:
    """By whom, why and when; without a store."""
    file, told = certified(aftertrace, data)
    assert [(each["day"][-2:], each["requests"]) for each in told["destroyed"]] == [
        ("26", [[2, 2]]),
        ("27", [[3, 3]]),
        ("28", [[4, 4]]),
    ]
    done = aftertrace("retention", "check", file, "--key", file.with_name("key"))
    assert done.code == 0
    assert "3 requests received on 3 days from 2025-11-26 to 2025-11-28 were destroyed" in done.out
    assert "ordered by ann" in done.out


def test_a_certificate_leads_from_an_older_key_to_the_one_that_signed_it(aftertrace: Command, data: Path) -> None:
    """Another key signs by then; without the entry that names it, nobody is led there."""
    old = (data / "ledger" / "key").read_text().strip()
    assert aftertrace("seal", "--data", data, "--rotate").code == 0
    file, told = certified(aftertrace, data)
    new = file.with_name("key").read_text().strip()
    for key, signed in ((old, f"holds, signed by {new}, to which {old} led"), (new, f"holds, signed by {new}")):
        done = aftertrace("retention", "check", file, "--key", key)
        assert (done.code, done.out.splitlines()[0]) == (0, signed)
    file.write_text(json.dumps({**told, "rotations": []}))
    assert [aftertrace("retention", "check", file, "--key", key).code for key in (old, new)] == [2, 0]


def less(told: Told) -> Told:
    """A day less, in what is read alone."""
    return {**told, "destroyed": told["destroyed"][1:]}


def not_done(told: Told) -> Told:
    """Without the entry that says that it is done."""
    return {**told, "entries": told["entries"][:-1]}


def elsewhere(told: Told) -> Told:
    """An entry at another place."""
    first, *others = told["entries"]
    return {**told, "entries": [{**first, "number": first["number"] - 1}, *others]}


CHANGES = {
    "who": lambda told: {**told, "by": "bob"},
    "when": lambda told: {**told, "done_at": "2020-01-01T00:00:00+00:00"},
    "less": less,
    "not done": not_done,
    "elsewhere": elsewhere,
    "no proof": lambda told: {**told, "entries": [{**each, "proof": []} for each in told["entries"]]},
    "not signed": lambda told: {**told, "checkpoint": told["checkpoint"].partition("\n\n")[0] + "\n\n"},
    "nothing": dict.fromkeys,
    "more": lambda told: {**told, "more": 1},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_certificate_that_was_changed_does_not_hold(aftertrace: Command, data: Path, name: str) -> None:
    """Neither what is read, nor an entry, a proof or the signature."""
    file, told = certified(aftertrace, data)
    file.write_text(json.dumps(CHANGES[name](told)))
    done = aftertrace("retention", "check", file, "--key", file.with_name("key"))
    assert (done.code, "check certificate" in done.err) == (2, True)


def test_no_certificate_of_what_is_no_order(aftertrace: Command, data: Path) -> None:
    """A hold is none."""
    held = aftertrace("hold", "add", "--tenant", "acme", "--data", data, *WHY).out.strip()
    done = aftertrace("retention", "certificate", held, "--data", data)
    assert (done.code, "no order of retention or erasure" in done.err) == (2, True)


@pytest.mark.parametrize("digest", ["", "0123", "f" * 64])
def test_another_plan_is_refused(aftertrace: Command, data: Path, digest: str) -> None:
    """Also the beginning of any."""
    done = aftertrace("retention", "apply", "--plan", digest, "--data", data, *WHY, *TODAY)
    assert (done.code, "expected it" in done.err) == (2, True)


def test_a_term_below_the_floor_is_refused(aftertrace: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the floor is another; by default a year and a month are kept."""
    monkeypatch.setenv("AFTERTRACE_RETENTION_EVIDENCE_DAYS", "30")
    done = aftertrace("retention", "plan", "--data", data)
    assert (done.code, "retention.floor_days" in done.err) == (2, True)
    monkeypatch.setenv("AFTERTRACE_RETENTION_FLOOR_DAYS", "30")
    assert planned(aftertrace, data)["policy"]["evidence_days"] == 30
    monkeypatch.delenv("AFTERTRACE_RETENTION_EVIDENCE_DAYS")
    assert planned(aftertrace, data)["policy"]["evidence_days"] == 400
