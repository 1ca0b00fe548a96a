"""`find` and `related`: from a thing in the outside world to the run, and from a run to others like it."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import RECORDINGS, Command


def test_what_a_tool_was_asked_for_leads_to_its_run(aftertrace: Command, store: Path) -> None:
    """As a table to read, and with every column for programs."""
    ended = aftertrace("find", '{"amount":900}', "--data", store)
    assert (ended.code, ended.err) == (0, "")
    header, row = ended.out.splitlines()
    assert header.split() == ["time", "of", "tool_name", "outcome", "field", "snippet", "basis", "agent_name", "run_id"]
    told = json.loads(aftertrace("find", '{"amount":900}', "--data", store, "--format", "json").out)
    assert row.split()[-1] == told["run_id"]
    assert [told[name] for name in ("of", "field", "snippet", "basis", "outcome", "tool_name")] == [
        "call", "arguments", '{"amount":900}', "explicit", "modified", "pay",
    ]  # fmt: skip
    assert json.loads(aftertrace("run", told["run_id"], "--data", store, "--format", "json").out)["calls"]


def test_nothing_found_is_no_error_and_is_said(aftertrace: Command, store: Path) -> None:
    """On standard error, so that a program reads an empty list."""
    ended = aftertrace("find", "no such thing", "--data", store, "--format", "json")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "nothing on record names 'no such thing'; `aftertrace losses` tells what never came\n"


def test_a_search_needs_something_to_look_for(aftertrace: Command, store: Path) -> None:
    """A text, or a filter: of a run, all that it did."""
    ended = aftertrace("find", "--data", store)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: find: nothing to look for, expected a text or a filter")
    ended = aftertrace("find", "ab", "--data", store)
    assert ended.err.startswith("error: find 'ab': 2 characters, expected at least 3")
    whole = aftertrace("find", "--run", "last", "--tool", "pay", "--data", store, "--format", "json")
    assert [json.loads(line)["of"] for line in whole.out.splitlines()] in (["call"], ["call", "approval"], [])
    assert whole.code == 0


def test_what_an_agent_wrote_does_not_steer_the_terminal(aftertrace: Command, tmp_path: Path) -> None:
    """Neither where it is found nor where it is looked for."""
    attributes = [
        {"key": key, "value": {"stringValue": value}}
        for key, value in (
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "pay\u001b[31m"),
            ("gen_ai.tool.call.id", "c-1"),
            ("gen_ai.tool.call.arguments", '{"to":"\\u202eevil needle"}'),
        )
    ]
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "x", "startTimeUnixNano": "1790000000000000000",
            "endTimeUnixNano": "1790000001000000000", "attributes": attributes}  # fmt: skip
    (tmp_path / "traces.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    aftertrace("import", tmp_path / "traces.jsonl", "--data", tmp_path / "data")
    shown = aftertrace("find", "needle", "--data", tmp_path / "data").out
    assert "needle" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x1b" not in aftertrace("find", "\x1b[31mred", "--data", tmp_path / "data").err


def test_runs_that_made_the_same_call_are_related(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """Of two agents; the control: in a store without the other it is alone, which is said."""
    run_id = json.loads(aftertrace("find", '{"amount":900}', "--data", store, "--format", "json").out)["run_id"]
    alone = aftertrace("related", run_id, "--data", store, "--format", "json")
    assert (alone.code, alone.out, alone.err) == (
        0, "", f"no other run on record shares anything with '{run_id}'\n",
    )  # fmt: skip
    both = ("langchain.openinference_reject_edit", "pydantic-ai.v5_deny_approve")
    aftertrace("import", *(RECORDINGS / f"{name}.jsonl" for name in both), "--data", tmp_path / "both")
    told = aftertrace("related", run_id, "--data", tmp_path / "both", "--format", "json").out.splitlines()
    rows = [json.loads(line) for line in told]
    assert [(row["how"], row["what"], row["basis"]) for row in rows if row["how"] == "call"] == [
        ("call", 'delete_db {"q":"b"}', "explicit"),
        ("call", 'pay {"amount":900}', "explicit"),
    ]
    assert run_id not in {row["run_id"] for row in rows}


def test_filters_that_no_column_answers_reach_every_list(aftertrace: Command, store: Path) -> None:
    """Of calls, what they led to, and their runs; a class that there is none of is refused with those there are."""
    paid = ("--risk", "money", "--target", '{"amount":900}', "--data", store, "--format", "json")
    calls = [json.loads(line) for line in aftertrace("calls", *paid).out.splitlines()]
    assert [(row["tool_name"], row["outcome"]) for row in calls] == [("pay", "modified")]
    for command in ("near-misses", "approvals", "decisions", "find"):
        told = [json.loads(line) for line in aftertrace(command, *paid).out.splitlines()]
        assert {row["tool_name"] for row in told} == {"pay"}, command
    runs = [json.loads(line) for line in aftertrace("runs", *paid).out.splitlines()]
    assert [row["run_id"] for row in runs] == [calls[0]["run_id"]]
    for option in ("--principal", "--customer", "--namespace", "--policy"):
        assert aftertrace("calls", option, "nobody", "--data", store, "--format", "json").out == ""
    refused = aftertrace("calls", "--risk", "huge", "--data", store)
    assert (refused.code, "'money'" in refused.err) == (2, True)
