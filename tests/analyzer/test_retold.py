"""Records that are told of more than once under one id: counted once where one tells all, told of where they clash."""

from __future__ import annotations

import polars as pl
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from aftertrace.analyzer.documents import markdown
from aftertrace.analyzer.documents.document import Document
from aftertrace.analyzer.reports.failure_report import control_failures, told_of

from .frames import Frames, of_requests


def tool(name: str, *, end: int = 2_000, **attributes: str) -> bytes:
    """An agent's span, and under it a tool span of always the same ids."""
    data = TracesData()
    spans = data.resource_spans.add().scope_spans.add().spans
    agent = spans.add(
        trace_id=b"t" * 16, span_id=b"a" * 8, name="agent", start_time_unix_nano=1, end_time_unix_nano=9_000
    )
    agent.attributes.add(key="gen_ai.operation.name").value.string_value = "invoke_agent"
    agent.attributes.add(key="gen_ai.agent.name").value.string_value = "clerk"
    run = spans.add(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        parent_span_id=b"a" * 8,
        name="execute_tool",
        start_time_unix_nano=1_000,
        end_time_unix_nano=end,
    )
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": "c1"}
    for key, value in (told | attributes).items():
        run.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


def sent(*requests: bytes) -> Frames:
    """What is stored of them."""
    return of_requests(("traces", "protobuf", request) for request in requests)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_span_that_is_sent_open_and_ended_is_read_once(order: tuple[int, ...]) -> None:
    """Whichever comes first, and what is read is the one that ended."""
    tellings = (tool("read", end=0), tool("read", **{"gen_ai.tool.call.result": "ok"}))
    frames = sent(*(tellings[at] for at in order))
    analysis = frames.analysis()
    assert frames.spans.height == 3, "the agent's span is the same; both tool spans are stored"
    (run,) = analysis.runs.iter_rows(named=True)
    assert (run["calls"], run["records"], run["signals"]) == (1, 3, [])
    assert analysis.calls.select("tool_name", "outcome").rows() == [("read", "executed")]
    assert analysis.of().identified.spans["end_ns"].to_list() == [9_000, 2_000]


def test_no_source_takes_the_place_of_another() -> None:
    """What it adds to a span that it did not send is read beside it."""
    frames = sent(tool("read"), tool("read", approver="mallory"))
    other = pl.when(pl.col("seq") == 2).then(pl.lit("other")).otherwise("source").alias("source")
    mixed = Frames(frames.spans.with_columns(other), frames.events.with_columns(other))
    assert [each.analysis().of().identified.spans.height for each in (frames, mixed)] == [2, 3]


def test_a_contradiction_is_a_signal_of_its_run() -> None:
    """Both tellings stay, the checks of the run name it, and the report counts it as a control that failed."""
    analysis = sent(tool("read"), tool("delete_all")).analysis()
    (run,) = analysis.runs.iter_rows(named=True)
    assert run["signals"] == ["conflicting_records"]
    assert sorted(analysis.of().identified.spans["tool_name"].drop_nulls()) == ["delete_all", "read"]
    checks = next(answer for answer in analysis.answers(run["run_id"]).more if answer.question == "checks")
    assert (checks.state, checks.value) == ("partial", "control failure: conflicting_records×1")
    failed = told_of(analysis, None)
    assert failed.failures == 1
    part = control_failures(failed)
    assert part is not None
    told = markdown.written(Document("", (part,)))
    assert "| `conflicting_records` | 1 |" in told
    assert run["run_id"] in told


def test_runs_without_one_have_no_signal() -> None:
    """The same sender's resend is none."""
    analysis = sent(tool("read"), tool("read")).analysis()
    assert analysis.runs["signals"].to_list() == [[]]
    assert control_failures(told_of(analysis, None)) is None
    assert analysis.sql("select count(*) as n from spans where flags is not null")["n"].to_list() == [0]
    assert analysis.runs.schema["signals"] == pl.List(pl.String)
