"""`aftertrace provenance`: a repository and exports held against the runs of a store, as CI does it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Command
from .repositories import BEGAN_S, QUIET, commit, did, exported, git, made

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git here")

CLAUDE = "Co-authored-by: Claude <noreply@anthropic.com>"
MESSAGES = (
    "Begin",
    f"By receipt\n\n{CLAUDE}",
    f"Named\n\n{CLAUDE}\nAftertrace-Run: run-7",
    f"Alone\n\n{CLAUDE}",
    "Gone\n\nAftertrace-Run: run-0",
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """A repository of five commits, and a store of two runs: one made the second and third, the other pushed what is
    not there.
    """
    folder = tmp_path_factory.mktemp("scene")
    repo, digits = made(folder, *MESSAGES)
    spans = [
        *did("run-7", 1, "", s=60, system="github", object_type="commit", object_id=digits[1]),
        *did("run-8", 2, "", s=90, system="github", object_url="https://github.com/octo/demo/commit/9999999"),
        *did("run-8", 3, "", s=91, system="github", object_id="octo/demo#12", object_type="pull_request"),
        *did("run-8", 4, "", s=92, system="github", object_id="octo/demo#99", object_type="pull_request"),
        *did("run-8", 5, "", s=93, system="Jira", object_id="OPS-1", receipt_id="req-1"),
        *did("run-8", 6, "", s=94, system="Jira", object_id="OPS-404"),
        *did("run-8", 7, "", s=95, system="ledger", object_id="OPS-4"),
    ]
    (folder / "traces.jsonl").write_text(exported(spans))
    from .conftest import command

    assert command("import", folder / "traces.jsonl", "--data", folder / "data").code == 0
    return repo, folder / "data", digits


def test_a_history_is_told_by_what_its_commits_lead_to(
    aftertrace: Command, scene: tuple[Path, Path, list[str]]
) -> None:
    """The page, whole: what somebody should look at first, and an exit code for CI."""
    repo, data, digits = scene
    ended = aftertrace("provenance", "git", repo, "--data", data)
    listed = aftertrace("runs", "--data", data, "--format", "json").out.splitlines()
    run_ids = {row["run_keys"][0]: row["run_id"] for row in map(json.loads, listed)}
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.splitlines() == [
        f"{repo}: 5 actions",
        "",
        "      2  with a run: named by it 1, by receipt 1",
        "      1  by agents, without a run: Claude Code 1",
        "      1  name a run that is not in the store",
        "      1  claimed by runs, and not there",
        "      1  by nobody known as an agent",
        "",
        "BY AGENTS, WITHOUT A RUN",
        f"  2026-09-21 14:16:20 UTC  {digits[3][:12]}  Alone",
        "      agent: Claude Code, by Claude <noreply@anthropic.com>",
        "",
        "NAME A RUN THAT IS NOT IN THE STORE",
        f"  2026-09-21 14:17:20 UTC  {digits[4][:12]}  Gone",
        "      names: run-0",
        "",
        "CLAIMED BY RUNS, AND NOT THERE",
        "  2026-09-21 14:14:50 UTC  9999999",
        f"      run: {run_ids['run-8']} of coder",
        "      call: Bash c-2",
        "",
        "WITH A RUN",
        f"  2026-09-21 14:15:20 UTC  {digits[2][:12]}  Named",
        "      agent: Claude Code, by Claude <noreply@anthropic.com>",
        f"      run: {run_ids['run-7']} of coder",
        "      known: named by it",
        "      call approved by: not told",
        f"  2026-09-21 14:14:20 UTC  {digits[1][:12]}  By receipt",
        "      agent: Claude Code, by Claude <noreply@anthropic.com>",
        f"      run: {run_ids['run-7']} of coder",
        "      known: by receipt",
        "      call: Bash c-1",
        "      call approved by: not told",
    ]


def rows(ended: Any) -> list[dict[str, Any]]:
    """What a command wrote as JSON lines."""
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest.mark.parametrize(
    ("options", "verdicts", "code"),
    [
        ((), ["no_run", "unknown_run", "not_there", "run", "run"], 1),
        (("--fail-on", "not_there"), ["no_run", "unknown_run", "not_there", "run", "run"], 1),
        (("--since", "2026-09-21T14:17:00"), ["unknown_run"], 1),
        (("--since", "2026-09-21T14:17:00", "--fail-on", "no_run"), ["unknown_run"], 0),
        (("--until", "2026-09-21T14:15:30"), ["not_there", "run", "run"], 1),
        (("--until", "2026-09-21T14:14:30"), ["run"], 0),
        (("--known-agent", "Ann's=Ann <*", "--until", "2026-09-21T14:14:00"), ["no_run"], 1),
    ],
)  # fmt: skip
def test_ci_fails_on_what_it_is_told_to(
    aftertrace: Command, scene: tuple[Path, Path, list[str]], options: tuple[str, ...], verdicts: list[str], code: int
) -> None:
    """In a window of time; with agents of one's own."""
    repo, data, _ = scene
    ended = aftertrace("provenance", "git", repo, "--data", data, "--format", "json", *options)
    assert ([row["verdict"] for row in rows(ended)], ended.code) == (verdicts, code)


def test_a_commit_is_found_by_the_run_that_its_trailers_name(
    aftertrace: Command, scene: tuple[Path, Path, list[str]]
) -> None:
    """By the beginning of its digits; the control: no record of the store names it. A run that is not there is told."""
    repo, data, digits = scene
    assert aftertrace("find", digits[2], "--data", data, "--format", "json").out == ""
    ended = aftertrace("find", digits[2][:9].upper(), "--repo", repo, "--data", data, "--format", "json")
    (run,) = rows(aftertrace("runs", "--target", digits[1], "--data", data, "--format", "json"))
    assert rows(ended) == [
        {
            "first_ns": run["first_ns"], "run_id": run["run_id"], "of": "commit", "field": "trailer",
            "snippet": f"{digits[2][:12]} names run-7", "basis": "explicit", "tool_name": None, "tool_call_id": None,
            "outcome": run["state"], "agent_name": "coder", "evidence": None,
        }
    ]  # fmt: skip
    gone = aftertrace("find", digits[4], "--repo", repo, "--data", data)
    assert gone.err.splitlines()[0] == "the commit names 'run-0', and no run on record is called so"
    for text in ("HEAD", "--all", "-x", "abcdef0", "main"):
        assert aftertrace("find", "--repo", repo, "--data", data, "--format", "json", "--", text).out == "", text


def test_what_only_a_result_tells_leads_to_its_run(aftertrace: Command, tmp_path: Path) -> None:
    """Git's own lines after a commit and a push, without any receipt: inferred, and so is what is not there."""
    repo, digits = made(tmp_path, "Begin", f"Fix\n\n{CLAUDE}")
    pushed = (
        f"[main {digits[1][:7]}] Fix\nTo github.com:octo/demo.git\n   {digits[0][:7]}..{digits[1][:7]}  main -> main"
    )
    lost = "[main 9999999] Lost\nTo github.com:octo/demo.git\n   1111111..9999999  main -> main"
    (tmp_path / "t.jsonl").write_text(exported([*did("run-7", 1, pushed), *did("run-8", 2, lost)]))
    aftertrace("import", tmp_path / "t.jsonl", "--data", tmp_path / "data")
    told = rows(aftertrace("provenance", "git", repo, "--data", tmp_path / "data", "--format", "json"))
    assert [(row["verdict"], row["object"], row["how"], row["basis"], row["tool_call_id"]) for row in told] == [
        ("not_there", "9999999", ["result"], "inferred", "c-2"),
        ("run", digits[1], ["result"], "inferred", "c-1"),
    ]


def test_a_shallow_clone_and_a_dropped_commit_are_not_called_missing(aftertrace: Command, tmp_path: Path) -> None:
    """The control: in the whole history, a commit that was never stored is."""
    repo, (_, kept, dropped) = made(tmp_path, "Begin", "Kept", "Dropped")
    git(repo, "reset", "-q", "--hard", kept)
    at = "https://github.com/octo/demo/commit"
    spans = [
        span
        for nth, digits in enumerate((kept, dropped, "9" * 40))
        for span in did("run-7", nth, "", system="github", object_url=f"{at}/{digits}")
    ]
    (tmp_path / "traces.jsonl").write_text(exported(spans))
    aftertrace("import", tmp_path / "traces.jsonl", "--data", tmp_path / "data")
    told = rows(aftertrace("provenance", "git", repo, "--data", tmp_path / "data", "--format", "json"))
    assert [(row["verdict"], row["object"]) for row in told] == [
        ("not_there", "9" * 40), ("unreachable", dropped), ("run", kept),
    ]  # fmt: skip
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", str(tmp_path / "shallow"))
    git(tmp_path / "shallow", "remote", "set-url", "origin", "https://github.com/octo/demo")
    ended = aftertrace("provenance", "git", tmp_path / "shallow", "--data", tmp_path / "data")
    assert (ended.code, "the history is cut off (a shallow clone)" in ended.out) == (0, True)


def test_nothing_that_a_repository_brings_is_run(aftertrace: Command, tmp_path: Path) -> None:
    """Its configuration would have git run programs; the control: `git log` runs one."""
    repo, _ = made(tmp_path, "Begin")
    owned, program = tmp_path / "owned", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {owned}\n")
    program.chmod(0o755)
    for key in ("gpg.program", "core.fsmonitor", "core.pager", "core.sshCommand", "core.alternateRefsCommand"):
        git(repo, "config", key, str(program))
    git(repo, "config", "log.showSignature", "true")
    tree = git(repo, "rev-parse", "HEAD^{tree}")
    signed = (
        f"tree {tree}\nauthor A <a@x> {BEGAN_S} +0000\ncommitter A <a@x> {BEGAN_S} +0000\n"
        "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\nSigned\n"
    )
    digits = git(repo, "hash-object", "-t", "commit", "-w", "--stdin", given=signed)
    git(repo, "update-ref", "refs/heads/main", digits)
    store = tmp_path / "data"
    (tmp_path / "t.jsonl").write_text(exported(did("run-7", 1, "", system="git", object_id="9" * 40)))
    aftertrace("import", tmp_path / "t.jsonl", "--data", store)
    assert aftertrace("provenance", "git", repo, "--data", store).code == 0
    assert not owned.exists()
    git(repo, "log", "-1")
    assert owned.exists()


def test_what_a_commit_says_neither_steers_the_terminal_nor_other_commits(aftertrace: Command, tmp_path: Path) -> None:
    """Controls are written out; zero bytes and lines like git's own stay within their commit."""
    repo, _ = made(tmp_path, f"\x1b[31mred \u202e{'x' * 300}\n\n{CLAUDE}")
    tree = git(repo, "rev-parse", "HEAD^{tree}")
    head = f"tree {tree}\nauthor A <a@x> {BEGAN_S} +0000\ncommitter A <a@x> {BEGAN_S} +0000\n\n"
    forged = f"{head}Zero\0{'0' * 40} commit 12\nAftertrace-Run: gone\n\n{'1' * 40} commit 0\n\n"
    digits = git(repo, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", given=forged)
    git(repo, "update-ref", "refs/heads/forged", digits)
    (tmp_path / "t.jsonl").write_text(exported(did("run-7", 1, "", system="git", object_id="9" * 40)))
    aftertrace("import", tmp_path / "t.jsonl", "--data", tmp_path / "data")
    ended = aftertrace("provenance", "git", repo, "--data", tmp_path / "data")
    assert ended.out.startswith(f"{repo}: 2 actions\n")
    assert "\\x1b[31mred \\u202exxx" in ended.out
    assert "\x1b" not in ended.out
    assert "\u202e" not in ended.out
    assert f"{digits[:12]}  Zero\\x00" in ended.out


def test_a_folder_that_git_does_not_read_is_told_of_with_the_way_out(
    aftertrace: Command, tmp_path: Path, scene: tuple[Path, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None there, somebody else's, damaged; an empty repository has no actions."""
    repo, data, _ = scene
    outside = aftertrace("provenance", "git", tmp_path, "--data", data)
    assert (outside.code, outside.err.startswith(f"error: read {tmp_path}: not a git repository")) == (2, True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    theirs = aftertrace("provenance", "git", repo, "--data", data)
    assert theirs.code == 2
    assert theirs.err.endswith(f"if you trust it: git config --global --add safe.directory {repo.resolve()}\n")
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    git(tmp_path, "init", "-q", "-b", "main", str(tmp_path / "empty"))
    assert aftertrace("provenance", "git", tmp_path / "empty", "--data", data).out.startswith(
        f"{tmp_path / 'empty'}: 0 actions\n"
    )
    broken, digits = made(tmp_path, "Begin", "Next")
    (broken / ".git/objects" / digits[0][:2] / digits[0][2:]).unlink()
    ended = aftertrace("provenance", "git", broken, "--data", data)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("`git fsck` tells what is damaged\n")


def test_pull_requests_tell_their_reviewers_beside_who_approved_the_call(
    aftertrace: Command, scene: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    """As `gh pr list --json` writes them; what a run opened and the export does not hold is told."""
    _, data, _ = scene
    pulls = [
        {"number": 12, "title": "Fix the limit", "body": "Done.", "url": "https://github.com/octo/demo/pull/12",
         "author": {"login": "app/copilot-swe-agent", "is_bot": True}, "createdAt": "2026-09-21T14:14:52Z",
         "mergedAt": None, "reviews": [{"author": {"login": "eve"}, "state": "APPROVED"},
                                       {"author": {"login": "mal"}, "state": "COMMENTED"}]},
        {"number": 11, "title": "Named", "body": "x\n\n<!-- Aftertrace-Run: run-7 -->", "reviews": [],
         "url": "https://github.com/octo/demo/pull/11", "createdAt": "2026-09-21T14:13:20Z",
         "author": {"login": "ann"}},
    ]  # fmt: skip
    file = tmp_path / "pulls.json"
    file.write_text(json.dumps(pulls))
    ended = aftertrace("provenance", "github-json", file, "--data", data, "--format", "json")
    told = [(row["verdict"], row["object"], row["how"], row["agent"], row["reviewed_by"]) for row in rows(ended)]
    assert told == [
        ("not_there", "octo/demo#99", ["receipt"], None, None),
        ("run", "octo/demo#12", ["receipt"], "GitHub Copilot", ["eve"]),
        ("run", "octo/demo#11", ["trailer"], None, None),
    ]
    os.utime(file, (BEGAN_S + 92, BEGAN_S + 92))
    before = rows(aftertrace("provenance", "github-json", file, "--data", data, "--format", "json"))
    assert [row["verdict"] for row in before] == ["run", "run"], "what was claimed after it was written is not missing"
    page = aftertrace("provenance", "github-json", file, "--data", data).out
    assert "      call approved by: not told\n      reviewed there by: eve\n" in page
    assert "      reviewed there by: nobody\n" in page


def test_rows_of_any_system_are_held_against_its_receipts(
    aftertrace: Command, scene: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    """Columns are named; a receipt's id leads to its run as the object's does. The control: the same id in another
    system (`OPS-4`) leads nowhere.
    """
    _, data, _ = scene
    file = tmp_path / "tickets.csv"
    file.write_text(
        "key,request,at,who,note,ok\n"
        'OPS-1,,2026-09-21T14:14:53Z,ann,"Restart, please",eve\n'
        "OPS-2,req-1,1790000095,ann,,\n"
        'OPS-3,,1790000000,Codex <noreply@openai.com>,"Done\nAftertrace-Run: run-7",\n'
        "OPS-4,,,Codex <noreply@openai.com>,,\n"
    )
    options = ("--id", "key", "--receipt", "request", "--time", "at", "--author", "who", "--text", "note")
    ended = aftertrace(
        "provenance", "csv", file, "--system", "jira", *options, "--approver", "ok", "--data", data, "--format", "json"
    )
    told = [(row["verdict"], row["object"], row["how"], row["title"], row["reviewed_by"]) for row in rows(ended)]
    assert told == [
        ("no_run", "OPS-4", None, None, None),
        ("not_there", "OPS-404", ["receipt"], None, None),
        ("run", "OPS-2", ["receipt"], None, None),
        ("run", "OPS-1", ["receipt"], "Restart, please", ["eve"]),
        ("run", "OPS-3", ["trailer"], "Done", None),
    ]
    wrong = aftertrace("provenance", "csv", file, "--system", "jira", "--id", "id", "--data", data)
    assert (wrong.code, wrong.err) == (
        2, f"error: read {file}: no column 'id', expected one of: key, request, at, who, note, ok\n",
    )  # fmt: skip


def test_standard_input_and_files_that_are_none_are_told_of(
    aftertrace: Command, scene: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    """Not JSON, not UTF-8, not there, and an agent without a pattern."""
    repo, data, _ = scene
    (tmp_path / "page.html").write_text('[{"number": 1}]\n<html>')
    ended = aftertrace("provenance", "github-json", tmp_path / "page.html", "--data", data)
    said = "no JSON at line 2, expected what `gh api` or `gh pr list --json` writes"
    assert (ended.code, ended.err) == (2, f"error: read {tmp_path / 'page.html'}: {said}\n")
    (tmp_path / "latin.csv").write_bytes(b"id\n\xff\n")
    ended = aftertrace("provenance", "csv", tmp_path / "latin.csv", "--system", "x", "--id", "id", "--data", data)
    assert (ended.code, ended.err) == (
        2, f"error: read {tmp_path / 'latin.csv'}: byte 3 is no UTF-8; export it in UTF-8\n",
    )  # fmt: skip
    assert aftertrace("provenance", "github-json", tmp_path / "none", "--data", data).code == 2
    assert aftertrace("provenance", "git", repo, "--known-agent", "Fixer", "--data", data).err == (
        "error: --known-agent 'Fixer': expected NAME=PATTERN, such as 'Fixer=* <fixer@example.com>'\n"
    )


def test_a_commit_by_the_hook_leads_to_its_run(
    aftertrace: Command, scene: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    """From the environment of a tool to the run in the store, with nothing but git between."""
    _, data, _ = scene
    repo, _ = made(tmp_path, "Begin")
    assert aftertrace("git-hook", "install", "--repo", repo).code == 0
    digits = commit(repo, "Fix", 60, BAGGAGE="aftertrace.run.id=run-7")
    ended = aftertrace("provenance", "git", repo, "--data", data, "--format", "json", "--fail-on", "no_run")
    found = {row["object"]: (row["verdict"], row["how"], row["named"]) for row in rows(ended)}
    assert found[digits] == ("run", ["trailer"], "run-7")
    assert subprocess.run(["git", "-C", repo, "status", "--short"], env=QUIET, check=True).returncode == 0
