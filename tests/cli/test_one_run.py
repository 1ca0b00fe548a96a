"""One run from the command line: what let its calls through, its agents, and its record as a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from analyzer.stories import event, span, stored

from aftertrace.cli.one_run import page

from .conftest import RECORDINGS, Command

AT: Final = ("--as-of", "2100-01-01T10:00:00Z")
YOLO: Final = '{"permission_mode":"yolo","bypass":true}'
RAN: Final = event("tool.called", "completed", s=3, end_ns=None)


def screen(*events: dict[str, Any], spans: tuple[dict[str, Any], ...] = ()) -> list[str]:
    """The lines of the run that a story tells."""
    analysis = stored(*events, spans=spans).analysis()
    (run_id,) = analysis.runs["run_id"]
    return page(analysis, run_id)


def calls(lines: list[str]) -> list[list[str]]:
    """The table of calls, as words."""
    (head,) = [number for number, line in enumerate(lines) if line.startswith("ordinal")]
    return [line.split() for line in lines[head:]]


def test_a_run_shows_what_let_each_call_through_and_where_a_control_failed() -> None:
    """A trailing question mark stands for what is inferred."""
    allowed = event("policy.evaluated", "allow", s=2, decided_by="policy", attributes=YOLO)
    lines = screen(allowed, RAN)
    assert calls(lines) == [
        ["ordinal", "tool_name", "outcome", "allowed_by", "decided_by", "basis", "reviewer", "permission_mode",
         "signals", "reason"],
        ["0", "pay", "executed", "mode", "policy", "explicit", "yolo", "bypassed"],
    ]  # fmt: skip
    assert "+ checks         policy allow×1, permission mode yolo, control failure: bypassed×1" in lines
    assert lines[2:4] == [
        "! bypassed, pay: it ran above risk `read` under a permission mode that lets everything through",
        "",
    ]


def test_what_no_record_tells_has_no_column() -> None:
    """The control: neither mode nor failure, and no agents where there is one."""
    lines = screen(event("policy.evaluated", "allow", s=2, decided_by="policy"), RAN)
    assert calls(lines) == [
        ["ordinal", "tool_name", "outcome", "allowed_by", "decided_by", "basis", "reviewer", "reason"],
        ["0", "pay", "executed", "policy", "policy", "explicit"],
    ]
    assert "agents" not in lines
    assert lines[2] == ""


def test_a_standing_grant_is_named_with_who_gave_it_and_when() -> None:
    """Nobody was asked now, and that is not all there is to say."""
    told = '{"grant_standing":true,"grant_granted_by":"ana","grant_granted_at":"2026-11-02T09:30:00Z"}'
    lines = screen(event("approval.granted", s=2, decided_by="human", attributes=told), RAN)
    told_of = " ".join(line.strip() for line in lines[lines.index("") + 1 :])
    assert "nobody was asked; decided by human; pay: granted before by ana at 2026-11-02 09:30:00 UTC" in told_of


def test_the_agents_of_a_run_are_a_tree() -> None:
    """Each below the one that set it to work, with the tool by which it did."""
    of = {"trace_id": "1" * 32}
    spans = (
        span("invoke_agent", agent_name="clerk", span_id="a" * 16, **of),
        span("execute_tool", agent_name=None, tool_name="ask", call_id="c-1", span_id="b" * 16,
             parent_span_id="a" * 16, **of),
        span("invoke_agent", s=1, agent_name="reader", model="small", span_id="c" * 16, parent_span_id="b" * 16, **of),
    )  # fmt: skip
    lines = screen(spans=spans)
    start = lines.index("agents")
    assert lines[start : start + 3] == [
        "agents",
        "  clerk · 0 calls",
        "    reader (delegated, by ask) · 0 calls · small",
    ]


def test_a_run_record_of_one_time_is_the_same_to_the_byte(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """On standard output and in a file; the time that it tells can be asked for again."""
    told = aftertrace("run", "last", "--data", store, "--format", "json", *AT)
    assert (told.code, told.err) == (0, "")
    record = json.loads(told.out)
    assert (record["format"], record["as_of"]) == ("aftertrace.run-record/1", "2100-01-01T10:00:00.000000000Z")
    again = ("run", record["run_id"], "--data", store, "--format", "json", "--as-of", record["as_of"])
    assert aftertrace(*again).out == told.out
    assert aftertrace(*again, "--out", tmp_path / "run.json").out == ""
    assert (tmp_path / "run.json").read_text("utf-8") == told.out
    assert aftertrace("run", "last", "--data", store, "--format", "json").out != told.out


def test_a_run_record_stays_the_same_however_the_store_grows(aftertrace: Command, tmp_path: Path) -> None:
    """Asked for as of the time that it tells; the control: as of another time it is another."""
    data = tmp_path / "data"
    aftertrace("import", RECORDINGS / "langchain.openinference_reject_edit.jsonl", "--data", data)
    told = aftertrace("run", "last", "--data", data, "--format", "json").out
    record = json.loads(told)
    aftertrace("import", RECORDINGS / "pydantic-ai.v5_deny_approve.jsonl", "--data", data)
    again = ("--data", data, "--format", "json", "--as-of", record["as_of"])
    assert aftertrace("run", record["run_id"], *again).out == told
    assert aftertrace("run", "last", *again).out == told
    assert aftertrace("run", record["run_id"], "--data", data, "--format", "json").out != told
    assert aftertrace("run", record["run_id"], "--data", data, "--as-of", "2020-01-01").code == 2


def test_a_run_is_found_by_the_id_that_its_sender_gave_it(aftertrace: Command, tmp_path: Path) -> None:
    """As it stands in a git trailer or a footer."""
    lines = tmp_path / "traces.jsonl"
    attributes = [
        {"key": key, "value": {"stringValue": value}}
        for key, value in (
            ("gen_ai.operation.name", "invoke_agent"),
            ("gen_ai.agent.name", "clerk"),
            ("aftertrace.run.id", "r-2026-77"),
        )
    ]  # fmt: skip
    told = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "clerk", "startTimeUnixNano": "1790000000000000000",
            "endTimeUnixNano": "1790000001000000000", "attributes": attributes}  # fmt: skip
    lines.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [told]}]}]}) + "\n")
    assert aftertrace("import", lines, "--data", tmp_path / "data").code == 0
    found = aftertrace("run", "r-2026-77", "--data", tmp_path / "data", "--format", "json")
    assert json.loads(found.out)["run_keys"] == ["r-2026-77"], found.err


def test_html_and_markdown_are_documents_of_their_own(aftertrace: Command, store: Path) -> None:
    """Each whole, each of the same run."""
    run_id = json.loads(aftertrace("run", "last", "--data", store, "--format", "json", *AT).out)["run_id"]
    page = aftertrace("run", "last", "--data", store, "--format", "html", *AT).out
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert run_id in page
    assert aftertrace("run", "last", "--data", store, "--format", "markdown", *AT).out.startswith("# ")
