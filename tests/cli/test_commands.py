"""The commands that read, over a store with real recordings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.store.snapshot import Snapshot

from .conftest import RECORDINGS, STORED, Command

SCORED = {
    "run_id",
    "conversation_id",
    "trace_id",
    "tool_call_id",
    "ordinal",
    "tool_name",
    "outcome",
    "decided_by",
    "basis",
    "proposed_at",
    "decided_at",
    "agent_name",
    "model",
}
HOSTILE = "=rm\x1b[2J\u202egpj\u200b"


def test_calls_come_out_with_what_became_of_them(aftertrace: Command, store: Path) -> None:
    """Three emitters: a hook that refuses all, a person who approves all, a person who refuses one and edits one."""
    ended = aftertrace("calls", "--data", store, "--format", "json")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert set(rows[0]) >= SCORED
    assert Counter((row["agent_name"], row["tool_name"], row["outcome"], row["decided_by"]) for row in rows) == {
        ("claude-code", "Bash", "denied", "hook"): 2,
        ("claude-code", "Write", "denied", "hook"): 1,
        ("dbbot", "delete_db", "denied", "human"): 1,
        ("dbbot", "nope", "unknown_tool", None): 1,
        ("dbbot", "pay", "modified", "human"): 1,
        ("dbbot", "read_db", "executed", None): 1,
        ("github-copilot", "bash", "executed", "human"): 1,
        ("github-copilot", "create", "executed", "human"): 1,
    }


def test_the_rows_of_one_run_are_those_of_the_whole_store(aftertrace: Command, store: Path) -> None:
    """By its id, its beginning or its trace, each of every table; and what no run answers to is refused."""
    listed = [json.loads(line) for line in aftertrace("runs", "--data", store, "--format", "json").out.splitlines()]
    assert len(listed) == 3
    for nth, table in enumerate(("calls", "near-misses", "approvals", "decisions", "effects")):
        whole = aftertrace(table, "--data", store, "--format", "json").out.splitlines()
        for run in listed:
            own = [line for line in whole if json.loads(line)["run_id"] == run["run_id"]]
            names = (run["run_id"], run["run_id"][:8], run["traces"][0])
            # One of them for each table and run, so that each way meets each table and each run.
            name = names[(nth + listed.index(run)) % 3]
            assert aftertrace(table, "--run", name, "--data", store, "--format", "json").out.splitlines() == own
    ended = aftertrace("calls", "--run", "0000", "--data", store)
    assert (ended.code, ended.err.startswith("error: run '0000': not found; give an id")) == (2, True)


@pytest.mark.parametrize(
    ("filters", "tools"),
    [
        (["--agent", "dbbot"], ["delete_db", "pay"]),
        (["--outcome", "modified"], ["pay"]),
        (["--tool", "Write"], ["Write"]),
        (["--decided-by", "hook", "--tool", "Bash"], ["Bash", "Bash"]),
        (["--since", "2026-11-21", "--until", "2026-11-21T00:00:01"], []),
        (["--reviewer", "nobody"], []),
        (["--tenant", "nobody"], []),
        (["--environment", "nowhere"], []),
    ],
)
def test_filters_narrow_near_misses(aftertrace: Command, store: Path, filters: list[str], tools: list[str]) -> None:
    """Several filters must all hold."""
    ended = aftertrace("near-misses", "--data", store, "--format", "json", *filters)
    assert sorted(json.loads(line)["tool_name"] for line in ended.out.splitlines()) == tools


@pytest.mark.parametrize("table", ["runs", "calls", "near-misses", "approvals", "configurations"])
def test_the_main_columns_of_each_listing_exist(aftertrace: Command, store: Path, table: str) -> None:
    """Whatever the schema becomes."""
    ended = aftertrace(table, "--data", store, "--format", "table")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("\n") > 1


@pytest.mark.parametrize(
    ("option", "word", "known"),
    [("--outcome", "foo", "'executed', 'failed', 'denied'"), ("--decided-by", "nobody", "'model', 'policy'")],
)
def test_a_word_that_no_call_can_have_is_refused(
    aftertrace: Command, store: Path, option: str, word: str, known: str
) -> None:
    """An empty list would say that there was none."""
    ended = aftertrace("near-misses", option, word, "--data", store)
    assert (ended.code, ended.out) == (2, "")
    assert f"Invalid value for '{option}': '{word}' is not one of {known}" in ended.err
    assert ended.err.count("\n") == 1


def test_every_format_holds_the_same_calls(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """JSON, CSV and Parquet have every row and column."""
    for form in ("json", "csv", "parquet"):
        assert aftertrace("calls", "--data", store, "--format", form, "--out", tmp_path / form).code == 0
    rows = [json.loads(line) for line in (tmp_path / "json").read_text().splitlines()]
    table, exact = pl.read_csv(tmp_path / "csv"), pl.read_parquet(tmp_path / "parquet")
    assert [list(rows[0]), table.columns] == [exact.columns, exact.columns]
    assert [row["call_key"] for row in rows] == exact["call_key"].to_list()
    assert table["tool_call_id"].to_list() == exact["tool_call_id"].to_list()


def test_a_run_shows_six_answers_and_what_to_switch_on(aftertrace: Command, store: Path) -> None:
    """Unknown is said, with the switch that would tell."""
    runs = aftertrace("runs", "--data", store, "--agent", "claude-code", "--format", "json").out
    page = aftertrace("run", json.loads(runs)["run_id"], "--data", store)
    assert page.code == 0
    lines = page.out.splitlines()
    assert lines[0].startswith(f"run {json.loads(runs)['run_id']} · completed · ")
    assert [line[:17].rstrip() for line in lines if line[:1] in "+~?" and line[:1]] == [
        "+ agent",
        "+ model",
        "? system prompt",
        "+ inputs",
        "~ tools",
        "+ reviewer",
        "+ trigger",
        "+ checks",
        "? effects",
    ]
    assert "switch on: OTEL_LOG_RAW_API_BODIES=1" in page.out
    assert len(lines) <= 40, "one screen"


def test_a_run_can_be_named_by_its_beginning_and_last_is_the_newest(aftertrace: Command, store: Path) -> None:
    """And its timeline and evidence can be seen."""
    rows = [json.loads(line) for line in aftertrace("runs", "--data", store, "--format", "json").out.splitlines()]
    newest = max(rows, key=lambda row: row["last_ns"])["run_id"]
    assert json.loads(aftertrace("run", "last", "--data", store, "--format", "json").out)["run_id"] == newest
    more = aftertrace("run", newest[:6], "--data", store, "--timeline", "--evidence").out
    assert "evidence: import/" in more
    assert "time          lane" in more


def test_approvals_and_configurations_are_listed(aftertrace: Command, store: Path) -> None:
    """Who was asked and what they answered; what runs were made of."""
    approvals = [
        json.loads(line) for line in aftertrace("approvals", "--data", store, "--format", "json").out.splitlines()
    ]
    assert Counter((row["tool_name"], row["decision"]) for row in approvals) == {
        ("bash", "granted"): 1,
        ("create", "granted"): 1,
        ("delete_db", "rejected"): 1,
        ("pay", "modified"): 1,
    }
    configurations = aftertrace("configurations", "--data", store, "--agent", "claude-code")
    assert "claude-opus-5-5" in configurations.out


def test_sql_reads_tables_and_nothing_else(aftertrace: Command, store: Path) -> None:
    """A question in SQL is answered; a file is not read."""
    asked = "select outcome, count(*) as n from calls where agent_name = 'dbbot' group by outcome order by outcome"
    assert aftertrace("sql", asked, "--data", store, "--format", "csv").out == (
        "outcome,n\ndenied,1\nexecuted,1\nmodified,1\nunknown_tool,1\n"
    )
    refused = aftertrace("sql", "select * from read_csv('/etc/passwd')", "--data", store)
    assert (refused.code, refused.out) == (2, "")
    assert "'read_csv' reads files" in refused.err


def test_the_report_puts_consequences_first(aftertrace: Command, store: Path, tmp_path: Path) -> None:
    """Markdown, on standard output or in a file."""
    shown = aftertrace("report", "near-misses", "--data", store)
    assert (shown.code, shown.out.splitlines()[0]) == (0, "# Near misses")
    assert "consequential near misses" in shown.out
    assert aftertrace("report", "near-misses", "--data", store, "--out", tmp_path / "report.md").code == 0
    assert (tmp_path / "report.md").read_text().startswith("# Near misses\n")


def test_importing_again_adds_nothing(aftertrace: Command, tmp_path: Path) -> None:
    """Every record is found to be a duplicate; the calls stay the same."""
    data, file = tmp_path / "data", RECORDINGS / f"{STORED[0]}.jsonl"
    counts = []
    for _ in range(2):
        assert aftertrace("import", file, "--data", data).code == 0
        counts.append(len(aftertrace("calls", "--data", data, "--format", "json").out.splitlines()))
    assert counts == [3, 3]


def test_a_bad_line_is_told_and_the_others_are_stored(aftertrace: Command, tmp_path: Path) -> None:
    """The exit code says that something was refused."""
    file = tmp_path / "logs.jsonl"
    good = (RECORDINGS / f"{STORED[0]}.jsonl").read_text()
    file.write_text(
        '{"signal":"traces","request":{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"x"}]}]}]}}\n' + good
    )
    ended = aftertrace("import", file, "--data", tmp_path / "data")
    assert ended.code == 2
    assert f"refused {file}:1: " in ended.err
    assert "1 requests refused" in ended.err
    assert len(aftertrace("calls", "--data", tmp_path / "data", "--format", "json").out.splitlines()) == 3


def test_what_stands_before_a_broken_file_is_stored_and_told(aftertrace: Command, tmp_path: Path) -> None:
    """What was acknowledged is in the tables when the command ends, and the tally says how much it is."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{not json\n")
    ended = aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", bad, "--data", tmp_path / "data")
    told, error = ended.err.splitlines()
    assert (ended.code, ended.out) == (2, "")
    assert (told.startswith("imported "), error.startswith(f"error: read {bad}")) == (True, True)
    assert not told.startswith("imported 0 ")
    assert Snapshot.of(tmp_path / "data").watermarks[0][0] == "import"


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_a_hostile_tool_name_reaches_no_terminal(aftertrace: Command, tmp_path: Path, form: str) -> None:
    """From OTLP bytes to the output: only what can be seen, and nothing that a spreadsheet runs."""
    data = hostile_store(aftertrace, tmp_path)
    for arguments in (("calls", "--format", form), ("run", "last"), ("report", "near-misses")):
        out = aftertrace(*arguments, "--data", data).out
        assert not {character for character in out if character < " " or character in "\x7f\u202e\u200b"} - {"\n"}
    assert "=rm" in aftertrace("calls", "--format", form, "--data", data).out
    if form == "csv":
        assert r",'=rm\x1b[2J\u202egpj\u200b," in aftertrace("calls", "--format", form, "--data", data).out


def hostile_store(aftertrace: Command, folder: Path) -> Path:
    """A store with one call of a tool whose name is an attack."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = b"\x01" * 16, b"\x02" * 8, f"execute_tool {HOSTILE}"
    span.start_time_unix_nano = span.end_time_unix_nano = 1_790_000_000_000_000_000
    for key, value in (("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", HOSTILE)):
        attribute = span.attributes.add()
        attribute.key, attribute.value.string_value = key, value
    body = request.SerializeToString()
    file = folder / "traces.pb"
    file.write_bytes(bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body)
    assert aftertrace("import", file, "--data", folder / "data").code == 0
    return folder / "data"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["runs"], 2, "error: open aftertrace-data: no store there"),
        (["run", "zzzz"], 2, "error: run 'zzzz': not found"),
        (["calls", "--since", "yesterday"], 2, "error: Invalid value for '--since': 'yesterday' is no time"),
        (["cals"], 2, "error: No such command 'cals'"),
        (["connect", "claude"], 2, "error: Invalid value for 'EMITTER'"),
        (["--config", "none.toml", "runs"], 2, "error: read none.toml: "),
        (["import", "none.pb"], 2, "error: Invalid value for 'FILE...'"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    aftertrace: Command, store: Path, arguments: list[str], code: int, message: str
) -> None:
    """No traceback, whatever is wrong."""
    data = ["--data", str(store)] if arguments[0] == "run" else []
    ended = aftertrace(*arguments, *data)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(message)
    assert ended.err.count("\n") == 1


def test_fsck_passes_a_sound_store_and_fails_a_damaged_one(aftertrace: Command, tmp_path: Path) -> None:
    """Exit code 1 and a row per finding."""
    data = tmp_path / "data"
    assert aftertrace("import", RECORDINGS / f"{STORED[0]}.jsonl", "--data", data).code == 0
    sound = aftertrace("fsck", "--data", data)
    assert (sound.code, sound.out) == (0, "")
    file = next((data / "tables" / "spans").rglob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    damaged = aftertrace("fsck", "--data", data, "--format", "json")
    assert damaged.code == 1
    assert {json.loads(line)["severity"] for line in damaged.out.splitlines()} >= {"error"}


@pytest.mark.parametrize("table", ["spans", "events"])
@pytest.mark.parametrize(
    "arguments", [["runs"], ["calls"], ["report", "near-misses"], ["run", "last"], ["sql", "select * from {}"]]
)
def test_a_damaged_table_is_one_line_that_says_what_to_do(
    aftertrace: Command, store: Path, tmp_path: Path, table: str, arguments: list[str]
) -> None:
    """Damage is no defect of the program; the same command reads a store that is sound."""
    data = tmp_path / "data"
    shutil.copytree(store, data)
    arguments = [each.format(table) for each in arguments]
    assert aftertrace(*arguments, "--data", data).code == 0
    for file in (data / "tables" / table).rglob("received_date=*/*.parquet"):
        file.unlink()
    ended = aftertrace(*arguments, "--data", data)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "error: read tables: FileNotFoundError, expected files as they were committed; run `aftertrace fsck`\n"
    )


def test_a_reader_that_goes_away_is_no_error(store: Path) -> None:
    """`aftertrace calls | head -1` in a real shell: no message, and the code of SIGPIPE."""
    script = f"{sys.executable} -m aftertrace.cli calls --format json --data {store} 2>&1 >&3 3>&- | cat"
    ended = subprocess.run(
        ["bash", "-c", f"exec 3> >(:); sleep 0.3; {script}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (141, "", "")


@pytest.mark.parametrize("arguments", [["calls"], ["calls", "--format", "parquet"], ["report", "near-misses"]])
def test_a_file_that_cannot_be_written_is_one_line(aftertrace: Command, store: Path, arguments: list[str]) -> None:
    """It is no defect of aftertrace."""
    ended = aftertrace(*arguments, "--data", store, "--out", "nodir/x")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("error: ")
    assert [part for part in ("nodir/x", "No such file or directory") if part not in ended.err] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_an_output_that_is_full_is_one_line(store: Path) -> None:
    """Also when nothing is left to flush it but the end of the process."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "aftertrace.cli", "calls", "--format", "csv", "--data", store],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (2, "error: input or output: No space left on device\n")


@pytest.mark.parametrize(
    "arguments", [["runs"], ["fsck"], ["sql", "select 1"], ["drain"], ["import", "x.jsonl"], ["report", "near-misses"]]
)
def test_a_broken_configuration_is_an_error_also_beside_data(
    aftertrace: Command, store: Path, tmp_path: Path, arguments: list[str]
) -> None:
    """Nothing is done, and no folder is made."""
    (tmp_path / "x.jsonl").write_text("")
    (tmp_path / "aftertrace.toml").write_text("[stor]")
    data = tmp_path / "data" if arguments[0] == "import" else store
    for options, message in (
        ([], "error: read aftertrace.toml: unknown section [stor]; did you mean 'store'?\n"),
        (["--config", "nope.toml"], "error: read nope.toml: "),
    ):
        ended = aftertrace(*options, *arguments, "--data", data)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert ended.err.startswith(message)
    assert not (tmp_path / "data").exists()


def test_the_demo_makes_nothing_beside_a_broken_configuration(aftertrace: Command, tmp_path: Path) -> None:
    """As the other commands, though it has a folder of its own."""
    (tmp_path / "aftertrace.toml").write_text("[stor]")
    ended = aftertrace("demo", "--once", "--folder", "demo")
    assert (ended.code, (tmp_path / "demo").exists()) == (2, False)


def test_version_and_help_need_no_configuration(aftertrace: Command, tmp_path: Path) -> None:
    """Even beside a broken file."""
    (tmp_path / "aftertrace.toml").write_text("[oops]")
    assert aftertrace("--version").out.startswith("aftertrace 0.")
    assert aftertrace("calls", "--help").code == 0
    assert aftertrace("calls").err.startswith("error: read aftertrace.toml: unknown section [oops]")
