"""An approval that is answered after a restart: the run goes on where it stopped, and no other run changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from .conftest import RECORDINGS, Command
from .served import Served, serving


def requests(recording: str) -> list[tuple[str, bytes]]:
    """Signal and OTLP/JSON of each request of a recording."""
    lines = [json.loads(line) for line in (RECORDINGS / f"{recording}.jsonl").read_text().splitlines()]
    return [(line["signal"], json.dumps(line["request"]).encode()) for line in lines]


ASKED, ANSWERED = requests("langchain.openinference_reject_edit")
OTHERS: Final = requests("pydantic-ai.v5_pending")


def send(served: Served, *exported: tuple[str, bytes]) -> None:
    """Send requests of a recording as its agent did."""
    for signal, body in exported:
        assert served.send(signal, body, **{"Content-Type": "application/json"}) == 200


def rows(aftertrace: Command, data: Path, table: str) -> list[dict[str, Any]]:
    """A derived table."""
    ended = aftertrace(table, "--data", data, "--format", "json")
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_what_comes_after_a_restart_changes_only_its_own_run(aftertrace: Command, tmp_path: Path) -> None:
    """Also where the first part is sent once more, since its OK was lost."""
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as served:
        send(served, ASKED, *OTHERS)
    runs, calls = (rows(aftertrace, data, table) for table in ("runs", "calls"))
    (asking,) = [run for run in runs if run["dialects"] == ["openinference"]]
    assert (asking["state"], len(asking["traces"])) == ("waiting", 1)
    with serving(data, "--no-dashboard") as served:
        send(served, ASKED, ANSWERED)
    later_runs, later_calls = (rows(aftertrace, data, table) for table in ("runs", "calls"))
    (answered,) = [run for run in later_runs if run["run_id"] == asking["run_id"]]
    assert (answered["state"], len(answered["traces"]), len(later_runs)) == ("completed", 2, len(runs))
    assert [
        (call["tool_name"], call["outcome"], call["decided_by"])
        for call in later_calls
        if call["run_id"] == asking["run_id"]
    ] == [
        ("read_db", "executed", None),
        ("delete_db", "denied", "human"),
        ("pay", "modified", "human"),
        ("nope", "unknown_tool", None),
    ]
    for earlier, later in ((runs, later_runs), (calls, later_calls)):
        assert [row for row in later if row["run_id"] != asking["run_id"]] == [
            row for row in earlier if row["run_id"] != asking["run_id"]
        ]
