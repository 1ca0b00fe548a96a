"""Runs by the customer that the resource of their records names: a process that works for one, and says so once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from aftertrace.analyzer import Analysis, Filter, analyse
from aftertrace.analyzer.reading.tables import EVIDENCE, RESOURCES

from .frames import LATER_NS
from .stories import COMPLETED, PROPOSED, stored


def text(value: str) -> common_pb2.AnyValue:
    """A text as an attribute's value."""
    return common_pb2.AnyValue(string_value=value)


def resource(**attributes: common_pb2.AnyValue) -> bytes:
    """A stored Resource message; `__` in a name stands for a dot."""
    named = {"service.name": text("shop"), **{key.replace("__", "."): value for key, value in attributes.items()}}
    told = [common_pb2.KeyValue(key=key, value=value) for key, value in named.items()]
    return resource_pb2.Resource(attributes=told).SerializeToString()


NESTED: Final = common_pb2.AnyValue(
    kvlist_value=common_pb2.KeyValueList(
        values=[common_pb2.KeyValue(key="customer", value=common_pb2.AnyValue(int_value=42))]
    )
)
RESOURCES_OF: Final = {
    "a": resource(customer__id=text("acme")),
    "b": resource(app__customerName=text("globex"), note=text("not customer: acme")),
    "c": resource(labels=NESTED),
    "d": resource(),
    "e": resource(customer__name=text("Acme, Inc.")),
    "f": resource(customer=text('{the "best"} \\ [co], é\n')),
    "g": resource(metadata=text(json.dumps({"customerName": 'Globex, é \\ {"x"}', "customer_id": 7}))),
    "h": resource(metadata=text(json.dumps({"customerName": "Ünion, Ltd."}, ensure_ascii=False))),
    "9": resource(metadata=text(json.dumps({"customer_id": 900}, indent=1))),
}
"""By run, what sent its records."""


def of_customers(**resources: bytes) -> Analysis:
    """A run of two records for each resource, each in a trace of its own."""
    runs = list(resources)
    rows: list[dict[str, Any]] = [
        {**row, "trace_id": run * 32, "conversation_id": None} for run in runs for row in (PROPOSED, COMPLETED)
    ]
    tables = stored(*rows).tables()
    sent = [{"receiver": "main", "seq": seq, "index": 0, "resource_digest": runs[(seq - 1) // 2]} for seq in range(
        1, len(rows) + 1)]  # fmt: skip
    known = [{"digest": digest, "bytes": told} for digest, told in resources.items()]
    evidence = pl.LazyFrame(sent, schema=EVIDENCE, orient="row")
    named = pl.LazyFrame(known, schema=RESOURCES, orient="row")
    return analyse(replace(tables, evidence=evidence, resources=named), now_ns=LATER_NS)


@pytest.mark.parametrize(
    ("customer", "runs"),
    [
        ("acme", ["a"]),
        ("globex", ["b"]),
        ("42", ["c"]),
        ("Acme, Inc.", ["e"]),
        ('{the "best"} \\ [co], é\n', ["f"]),
        ('Globex, é \\ {"x"}', ["g"]),
        ("7", ["g"]),
        ("Ünion, Ltd.", ["h"]),
        ("900", ["9"]),
        ("90", []),
        ("Acme", []),
        ("Acme, Inc", []),
        ("Acme, Inc..", []),
        ("Globex", []),
        ("{the ", []),
        ("ac", []),
        ("4", []),
        ("shop", []),
    ],
)
def test_runs_are_found_by_the_customer_of_the_process_that_sent_them(customer: str, runs: list[str]) -> None:
    """Whole names alone; a text that speaks of a customer, and a process that names none, are the controls."""
    analysis = of_customers(**RESOURCES_OF)
    wanted = Filter(customer=customer)
    assert [traces[0][0] for traces in analysis.select("runs", wanted)["traces"]] == runs
    assert [trace[0] for trace in analysis.select("calls", wanted)["trace_id"]] == runs


def test_a_resource_that_sent_nothing_of_a_run_says_nothing_of_it() -> None:
    """The control: the same resources, of which the second sent the records of the first run."""
    analysis = of_customers(a=RESOURCES_OF["d"], b=RESOURCES_OF["a"])
    assert [traces[0][0] for traces in analysis.select("runs", Filter(customer="acme"))["traces"]] == ["b"]


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(("id", "", 'x"y', "é")), st.text(max_size=20))
def test_any_resource_is_read_without_an_error(key: str, value: str) -> None:
    """A sender writes what it likes; what names a customer whole is found."""
    name = f"customer.{key}" if key else "customer"
    told = common_pb2.KeyValue(key=name, value=text(value))
    sent = resource_pb2.Resource(attributes=[told]).SerializeToString()
    analysis = of_customers(a=sent)
    found = analysis.select("runs", Filter(customer=value or "x")).height
    assert found == (key in {"id", ""} and value != "")
    assert analysis.select("runs", Filter(customer=f"{value}~")).is_empty()
