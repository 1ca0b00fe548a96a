"""Filters that no column answers: for whom, of what kind, on what, by which policy."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from aftertrace.analyzer import Analysis, Filter, Invalid

from .stories import event, span, stored

POLICY: Final = '{"policy_id":"refunds","policy_version":"3"}'


def call(
    run: str, nth: int, tool: str, arguments: dict[str, Any] | str, **told: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A call of a run, proposed and carried out."""
    of = {
        "run_key": run, "conversation_id": run, "trace_id": f"{run.encode().hex():0>32}", "call_id": f"c-{nth}",
        "tool_name": tool,
    }  # fmt: skip
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"))
    return (
        event("action.proposed", "proposed", s=nth, arguments=text, **of, **told),
        event("tool.called", "completed", s=nth + 0.5, end_ns=None, span_id=f"{nth:016x}", **of, **told),
    )


def of(row: dict[str, Any], name: str, **told: Any) -> dict[str, Any]:
    """Another event about the call of a row."""
    kept = ("run_key", "conversation_id", "trace_id", "call_id", "tool_name")
    return event(name, s=30, **{key: row[key] for key in kept}, **told)


PAY, SQL, GET, DROP, SCALE, LOST = (
    call("r-1", 1, "pay", {"order": 1042, "to": "ana@example.com"}),
    call("r-1", 2, "query_db", {"sql": 'UPDATE "shop".orders SET paid = 1'}),
    call("r-2", 3, "get_rows", {"filter": {"table": "customers"}}),
    call("r-2", 4, "drop_index", {"name": "x"}),
    call("r-2", 5, "Bash", {"command": "kubectl scale -n prod --replicas 0 deploy/web"}),
    call("r-3", 6, "sync", {}),
)
ROWS: Final = (
    {**PAY[0], "model": "m-1"},
    PAY[1],
    {**SQL[0], "user_id": "ana"},
    SQL[1],
    *GET,
    *DROP,
    *SCALE,
    *LOST,
    of(PAY[0], "policy.evaluated", state="allow", decided_by="policy", attributes=POLICY),
    of(PAY[0], "effect.applied", attributes='{"effect_system":"ledger","effect_object_id":"re_1"}'),
    of(LOST[0], "effect.applied",
       attributes='{"effect_system":"db","effect_object_type":"row","effect_object_id":"shop.orders/7"}'),
    *(
        event(name, s=40, run_key="r-3", conversation_id="r-3", trace_id=LOST[0]["trace_id"], model=model,
              tool_name=None, call_id=None)
        for name, model in (("model.called", "m-1"), ("model.called", "m-2"), ("run.completed", None))
    ),
    event("run.created", run_key="r-2", conversation_id="r-2", trace_id=GET[0]["trace_id"], tool_name=None,
          call_id=None, attributes='{"policy_id":"house","policy_version":"1"}'),
)  # fmt: skip
SPANS: Final = (
    span("execute_tool", s=4, span_id=f"{4:016x}", trace_id=DROP[0]["trace_id"], conversation_id="r-2", run_key="r-2",
         attributes='{"app.customer_id":"acme","metadata":"{\\"customerName\\": \\"Acme, Inc.\\"}"}'),
    span(None, s=4.1, span_id="a" * 16, parent_span_id=f"{4:016x}", trace_id=DROP[0]["trace_id"], run_key="r-2",
         conversation_id="r-2"),
    span(None, s=4.2, span_id="b" * 16, parent_span_id="a" * 16, trace_id=DROP[0]["trace_id"], run_key="r-2",
         conversation_id="r-2", attributes='{"db.collection.name":"orders"}'),
    span(None, s=1, span_id="c" * 16, trace_id=PAY[0]["trace_id"], run_key="r-1", conversation_id="r-1",
         attributes='{"customer.id":42,"note":"our customer: globex"}'),
)  # fmt: skip


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Three runs."""
    return stored(*ROWS, spans=SPANS).analysis()


@pytest.mark.parametrize(
    ("filters", "tools"),
    [
        ({"principal": "ana"}, ["pay", "query_db"]),
        ({"principal": "an"}, []),
        ({"model": "m-1"}, ["pay", "query_db"]),
        ({"model": "m"}, []),
        ({"state": "completed"}, ["sync"]),
        ({"state": "failed"}, []),
        ({"customer": "acme"}, ["Bash", "drop_index", "get_rows"]),
        ({"customer": "Acme, Inc."}, ["Bash", "drop_index", "get_rows"]),
        ({"customer": "Acme"}, []),
        ({"customer": "42"}, ["pay", "query_db"]),
        ({"customer": "globex"}, []),
        ({"risk": "money"}, ["pay"]),
        ({"risk": "read"}, ["get_rows", "query_db"]),
        ({"target": "1042"}, ["pay"]),
        ({"target": "104"}, []),
        ({"target": "re_1"}, ["pay"]),
        ({"target": "shop.orders/7"}, ["sync"]),
        ({"namespace": "orders"}, ["drop_index", "query_db", "sync"]),
        ({"namespace": "shop"}, ["query_db", "sync"]),
        ({"namespace": "shop.orders"}, ["query_db", "sync"]),
        ({"namespace": "order"}, []),
        ({"namespace": "customers"}, ["get_rows"]),
        ({"namespace": "prod"}, ["Bash"]),
        ({"namespace": "paid"}, []),
        ({"policy": "refunds"}, ["pay"]),
        ({"policy": "house"}, []),
        ({"policy": "refund"}, []),
        ({"namespace": "orders", "risk": "read"}, ["query_db"]),
        ({"target": "1042", "agent": "somebody else"}, []),
    ],
)
def test_calls_are_those_that_all_fields_let_through(
    analysis: Analysis, filters: dict[str, str], tools: list[str]
) -> None:
    """What stands beside it is not meant: a longer number, another word, a note."""
    assert sorted(analysis.select("calls", Filter(**filters))["tool_name"]) == tools


@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({"principal": "ana"}, ["r-1"]),
        ({"model": "m-1"}, ["r-1", "r-3"]),
        ({"model": "m-2"}, ["r-3"]),
        ({"state": "completed"}, ["r-3"]),
        ({"customer": "acme"}, ["r-2"]),
        ({"risk": "money"}, ["r-1"]),
        ({"target": "shop.orders/7"}, ["r-3"]),
        ({"namespace": "orders"}, ["r-1", "r-2", "r-3"]),
        ({"policy": "refunds"}, ["r-1"]),
        ({"policy": "house"}, ["r-2"]),
    ],
)
def test_runs_are_those_with_such_a_call(analysis: Analysis, filters: dict[str, str], runs: list[str]) -> None:
    """A policy is one of a run's also where it only began under it."""
    assert sorted(analysis.select("runs", Filter(**filters))["conversation_id"]) == runs


def test_other_tables_follow_their_calls(analysis: Analysis) -> None:
    """An effect also by its own object, where its call is not known."""
    effects = analysis.select("effects", Filter(namespace="orders"))
    assert effects["object_id"].to_list() == ["shop.orders/7"]
    assert analysis.select("effects", Filter(principal="ana"))["object_id"].to_list() == ["re_1"]
    assert analysis.select("decisions", Filter(policy="refunds"))["tool_name"].to_list() == ["pay"]
    assert analysis.select("decisions", Filter(target="customers")).is_empty()
    assert analysis.near_misses(Filter(principal="ana")).is_empty()
    found = analysis.finds(["pay"], Filter(policy="refunds"))
    assert found["of"].to_list() == ["call"]
    assert analysis.finds(["pay"], Filter(risk="read")).is_empty()


def test_a_target_that_leads_everywhere_is_refused(analysis: Analysis) -> None:
    """As a text of `find` is."""
    with pytest.raises(Invalid, match="expected at least 3"):
        analysis.select("calls", Filter(target="x"))


@pytest.mark.parametrize("field", ["principal", "customer", "namespace", "policy", "target"])
@pytest.mark.parametrize("text", ["a[b", "(", "\\", 'x"y', "*+?", "\ud800", "$(x)", "\u202eabc"])
def test_a_name_is_no_pattern(analysis: Analysis, field: str, text: str) -> None:
    """Whatever stands in it: nothing is found, and nothing is raised."""
    assert analysis.select("calls", Filter(**{field: text.ljust(3, "~")})).is_empty()
