"""Terms of records by what is told of them: which one counts, and for how much of a request."""

from __future__ import annotations

import polars as pl
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from aftertrace.store.layout import Layout
from aftertrace.store.retention.named import named, together
from aftertrace.store.retention.plan import planned
from aftertrace.store.retention.policy import Policy, Term, Terms
from aftertrace.store.snapshot import Snapshot

from .drain_samples import drain, logs, send, stored, traces
from .retaining import TODAY

AGE_DAYS = 186
SHORT, LONG = AGE_DAYS - 1, AGE_DAYS
"""Over, and not."""


@pytest.fixture
def filled(layout: Layout) -> Layout:
    """A request with two spans."""
    send(layout, traces(1))
    drain(layout)
    return layout


def told(layout: Layout, days: int, *terms: tuple[str, str, int, tuple[int, ...]]) -> list[tuple[str, str]]:
    """What goes and stays, and by which term, where a term is for records of the first request."""
    others = tuple(Term(of, name, length) for of, name, length, _ in terms)  # type: ignore[arg-type]
    places = [pl.DataFrame({"receiver": "main", "seq": 1, "index": indexes}) for *_, indexes in terms if indexes]
    found = [named(frame, term) for frame, term in zip(places, others, strict=False)]
    policy = Policy(Terms(days, others), floor_days=0, keeps_configurations=False)
    plan = planned(Snapshot.of(layout.data), policy, (), TODAY, named=together(found))
    return [("goes", each.term) for each in plan.going] + [("stays", each.why) for each in plan.staying]


def test_the_most_specific_term_counts(filled: Layout) -> None:
    """A tag before an agent, that before a source, whichever is longer."""
    both = (0, 1)
    assert told(filled, LONG, ("agent", "a", SHORT, both)) == [("goes", f"{SHORT} days of agent a")]
    assert told(filled, SHORT, ("agent", "a", 0, both)) == [("stays", "its term is for ever of agent a")]
    tag, agent = ("tag", "stage=test", SHORT, both), ("agent", "a", LONG, both)
    assert told(filled, LONG, tag, agent) == [("goes", f"{SHORT} days of tag stage=test")]
    tag, agent = ("tag", "stage=test", LONG, both), ("agent", "a", SHORT, both)
    assert told(filled, SHORT, tag, agent) == [("stays", f"its term is {LONG} days of tag stage=test")]
    assert told(filled, SHORT, ("agent", "a", SHORT, both), ("agent", "b", LONG, both)) == [
        ("stays", f"its term is {LONG} days of agent b")
    ]
    assert told(filled, LONG, ("agent", "a", SHORT, both), ("source", "anonymous", LONG, ())) == [
        ("goes", f"{SHORT} days of agent a")
    ]


def test_a_request_stays_as_long_as_its_longest_record(filled: Layout) -> None:
    """A shorter term for one of two records makes nothing over, a longer one keeps both; and it is told why."""
    assert told(filled, LONG, ("agent", "a", SHORT, (0,))) == [("stays", f"its term is {LONG} days")]
    assert told(filled, SHORT, ("agent", "a", LONG, (0,))) == [("stays", f"its term is {LONG} days of agent a")]
    assert told(filled, SHORT, ("agent", "a", SHORT, (0,))) == [("goes", f"{SHORT} days of agent a")]


def test_the_control_no_term_for_any_record(filled: Layout) -> None:
    """The term of all counts."""
    assert told(filled, SHORT) == [("goes", f"{SHORT} days")]
    assert told(filled, LONG) == []


def test_a_record_of_which_nothing_is_told_goes_with_those_beside_it(layout: Layout) -> None:
    """Such as a log record that is no event. A resend has the term of who sent it, and keeps its first copy."""
    sent = LogsData.FromString(logs(1))
    sent.resource_logs[0].scope_logs[0].log_records.add().body.string_value = "hello"
    send(layout, sent.SerializeToString(), signal="logs", records=3)
    drain(layout)
    assert stored(layout)["events"]["index"].to_list() == [0, 1]
    assert told(layout, LONG, ("agent", "a", SHORT, (0, 1))) == [("goes", f"{SHORT} days of agent a")]
    send(layout, sent.SerializeToString(), signal="logs", records=3)
    drain(layout)
    assert told(layout, LONG, ("agent", "a", SHORT, (0, 1))) == [("stays", "first copy of a record that stays")]
