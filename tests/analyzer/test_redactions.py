"""What redaction replaced, by rule: as it was counted when it came, and nothing that a sender only says."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.ingest.drain_samples import DAY_NS, NOON_NS, SMALL, drain, new_store
from tests.ingest.referring import refer, spans_of, tool_call

from aftertrace.analyzer.ledger import redactions as told
from aftertrace.analyzer.ledger import words
from aftertrace.analyzer.ledger.redactions import Redactions, redactions
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import make_policy
from aftertrace.store.folder import store_key
from aftertrace.store.layout import Layout
from aftertrace.store.marks import REDACTION_NOTE
from aftertrace.store.request import Request
from aftertrace.store.wal import WalWriter

SECRET = {"password": "hunter2-CANARY", "url": "https://ann:hunter2-CANARY@example.com/"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty store."""
    return new_store(tmp_path / "data")


def came(layout: Layout, *payloads: bytes, day: int = 0) -> dict[str, int]:
    """Requests are received and stored; how often each rule fired, as the receiver counts."""
    prepare = make_prepare(make_policy(), limits=Limits(), key=store_key(layout))
    counted: dict[str, int] = {}
    with WalWriter(layout, "main", SMALL) as writer:
        for number, payload in enumerate(payloads):
            request = Request("traces", "protobuf", payload, "anonymous", NOON_NS + day * DAY_NS + number)
            prepared = prepare(request)
            for rule, times in prepared.redactions:
                counted[rule] = counted.get(rule, 0) + times
            writer.append(request, prepared).result(5)
    drain(layout)
    return counted


def of_resource(attributes: dict[str, str]) -> bytes:
    """A request whose resource has attributes, too."""
    data = TracesData.FromString(spans_of(SECRET, trace=2))
    for key, text in attributes.items():
        data.resource_spans[0].resource.attributes.add(key=key).value.string_value = text
    return data.SerializeToString()


def test_each_rule_fired_as_often_as_the_receiver_counted(layout: Layout) -> None:
    """In records, resources and scopes; and references to large contents."""
    assert redactions(layout.data) == Redactions(0, 0, {}, 0, None, is_all=True)
    counted = came(layout, spans_of(SECRET, SECRET, {"a": "b"}), of_resource({"api_key": "hunter2-CANARY"}))
    assert sum(counted.values()) > 4
    found = redactions(layout.data)
    assert (found.rules, found.values, found.untold) == (counted, sum(counted.values()), 0)
    assert (found.requests, found.since_ns, found.is_all) == (2, NOON_NS, True)
    refer(layout, spans_of(tool_call(1)), received_ns=NOON_NS + 9)
    drain(layout)
    found = redactions(layout.data)
    assert found.rules == {**counted, "by-reference": found.values - sum(counted.values())}
    assert "CANARY" not in words.redacted(found)


def test_what_a_sender_says_of_rules_counts_for_nothing(layout: Layout) -> None:
    """In a request of which nothing was replaced; in another, its values are told by no rule."""
    note = {REDACTION_NOTE: "github 7"}
    came(layout, spans_of(note))
    assert redactions(layout.data).rules == {}
    counted = came(layout, spans_of(SECRET), spans_of(SECRET, note, trace=3), day=1)
    found = redactions(layout.data)
    assert found.rules == {rule: times // 2 for rule, times in counted.items()}
    assert (found.values, found.untold) == (sum(counted.values()), sum(counted.values()) // 2)
    # Redaction writes behind what was sent: in a record that it changed, the sender's note is none.
    counted = came(layout, spans_of({**note, **SECRET}, trace=4), day=2)
    assert redactions(layout.data).rules == {rule: found.rules[rule] + times for rule, times in counted.items()}


def test_the_newest_are_told_and_that_there_are_more(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole requests, as many as can be read soon; and those of some weeks."""
    counted = came(layout, *(spans_of(SECRET, SECRET, trace=number) for number in range(1, 5)))
    each = sum(counted.values()) // 4
    monkeypatch.setattr(told, "RECORDS", 5)
    found = redactions(layout.data)
    assert (found.requests, found.values, found.since_ns, found.is_all) == (2, 2 * each, NOON_NS + 2, False)
    assert words.redacted(found).endswith("; since 2025-11-25 12:00 UTC, and more before")
    monkeypatch.undo()
    came(layout, spans_of(SECRET, trace=9), day=40)
    found = redactions(layout.data)
    assert (found.requests, found.since_ns, found.is_all) == (1, NOON_NS + 40 * DAY_NS, False)


def test_it_is_said_in_a_line() -> None:
    """Rules that fired most by name, the others together."""
    many = {f"rule-{number}": 20 - number for number in range(10)}
    values = sum(many.values())
    line = words.redacted(Redactions(1200, values + 3, many, 3, 1, is_all=True))
    assert line.startswith(f"{values + 3} values in 1,200 requests: rule-0 20, rule-1 19, ")
    assert line.endswith(", rule-7 13, 2 more rules 23, by no rule that is told 3")
    assert words.redacted(Redactions(0, 0, {}, 0, None, is_all=True)) == "nothing"
    assert words.redacted(Redactions(0, 0, {}, 0, None, is_all=False)) == "nothing lately"
