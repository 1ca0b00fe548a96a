"""The git hook, with the real git: who says that an agent is here is named, and nobody else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.cli.git_hook import BEFORE, NAME, script
from aftertrace.semconv.propagate import is_run_id, named_conversations, named_runs, to_environment

from .conftest import Command
from .repositories import QUIET, git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git here")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def committed(repo: Path, message: str = "Fix the limit", *options: str, **environment: str) -> str:
    """The message of a commit that is made in this environment."""
    git(repo, "commit", "-q", "--allow-empty", "-m", message, *options, **environment)
    return git(repo, "log", "-1", "--format=%B")


@pytest.fixture
def repo(tmp_path: Path, aftertrace: Command) -> Path:
    """A repository with the hook in it."""
    made = tmp_path / "repo"
    git(tmp_path, "init", "-q", "-b", "main", str(made))
    ended = aftertrace("git-hook", "install", "--repo", made)
    assert (ended.code, ended.out, ended.err) == (0, f"installed: {made / '.git/hooks' / NAME}\n", "")
    return made


def test_where_nothing_tells_of_an_agent_nothing_is_done(repo: Path) -> None:
    """A person commits, in a terminal or on a build server that has a trace."""
    assert committed(repo) == "Fix the limit"
    assert committed(repo, TRACEPARENT=TRACEPARENT, BAGGAGE="tenant=shop,region=eu") == "Fix the limit"


@pytest.mark.parametrize(
    ("environment", "trailers"),
    [
        (to_environment("run-7", {"BAGGAGE": "tenant=shop"}), ["Aftertrace-Run: run-7"]),
        ({"BAGGAGE": " a=1 , aftertrace.run.id = urn%3Arun:7 ;ttl=1, b=2"}, ["Aftertrace-Run: urn:run:7"]),
        ({"CLAUDE_CODE_SESSION_ID": "s-1", "CLAUDECODE": "1"}, ["Aftertrace-Conversation: s-1"]),
        ({"CODEX_THREAD_ID": "019d1afb-b2c7"}, ["Aftertrace-Conversation: 019d1afb-b2c7"]),
        ({"COPILOT_AGENT_SESSION_ID": "c0"}, ["Aftertrace-Conversation: c0"]),
        (
            {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "s-1", "TRACEPARENT": TRACEPARENT},
            [f"Aftertrace-Run: {TRACE}", "Aftertrace-Conversation: s-1"],
        ),
        (
            {"CLAUDECODE": "1", "TRACEPARENT": TRACEPARENT, "BAGGAGE": "aftertrace.run.id=run-7"},
            ["Aftertrace-Run: run-7"],
        ),
    ],
)
def test_what_an_agent_gives_its_tools_names_its_run(
    repo: Path, environment: dict[str, str], trailers: list[str]
) -> None:
    """Baggage names the run; else the trace, and the session."""
    message = committed(repo, **environment)
    assert message.split("\n") == ["Fix the limit", "", *trailers]
    assert git(repo, "log", "-1", "--format=%(trailers)").splitlines()[: len(trailers)] == trailers


@pytest.mark.parametrize(
    "environment",
    [
        {"BAGGAGE": "aftertrace.run.id=a\nSigned-off-by: Boss <boss@example.com>"},
        {"BAGGAGE": "aftertrace.run.id=$(touch owned)"},
        {"BAGGAGE": "aftertrace.run.id=`touch owned`"},
        {"BAGGAGE": "aftertrace.run.id='; touch owned; '"},
        {"BAGGAGE": "aftertrace.run.id=--in-place"},
        {"BAGGAGE": "aftertrace.run.id=*"},
        {"BAGGAGE": "aftertrace.run.id=a%0ASigned-off-by: Boss"},
        {"BAGGAGE": f"aftertrace.run.id={'a' * 129}"},
        {"BAGGAGE": "aftertrace.run.id=a,aftertrace.run.id=b"},
        {"BAGGAGE": "aftertrace.run.id"},
        {"BAGGAGE": "aftertrace.run.id="},
        {"BAGGAGE": f"{'x' * 9000},aftertrace.run.id=a"},
        {"CODEX_THREAD_ID": "a\n\nb"},
        {"CODEX_THREAD_ID": "a b"},
        {"CLAUDECODE": "1", "TRACEPARENT": f"00-{'0' * 32}-00f067aa0ba902b7-01"},
        {"CLAUDECODE": "1", "TRACEPARENT": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"},
        {"CLAUDECODE": "1", "TRACEPARENT": TRACE},
    ],
)
def test_a_hostile_value_is_no_value(repo: Path, environment: dict[str, str]) -> None:
    """It adds no trailer and runs nothing; the control is every test above."""
    before = sorted(path.name for path in repo.iterdir())
    assert committed(repo, **environment) == "Fix the limit"
    assert sorted(path.name for path in repo.iterdir()) == before


@settings(max_examples=40, deadline=None)
@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_only_ids_become_trailers(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands in the environment: the shell's idea of an id is that of the conventions."""
    folder = tmp_path_factory.mktemp("message")
    (folder / NAME).write_bytes(script())
    (folder / "message").write_text("Fix the limit\n", encoding="utf-8")
    ran = subprocess.run(
        ["sh", str(folder / NAME), str(folder / "message")], check=False, env={**QUIET, "CODEX_THREAD_ID": value},
        cwd=folder, capture_output=True,
    )  # fmt: skip
    written = (folder / "message").read_text(encoding="utf-8")
    told = f"\nAftertrace-Conversation: {value}\n" if is_run_id(value) else ""
    assert (ran.returncode, ran.stdout, ran.stderr, written) == (0, b"", b"", f"Fix the limit\n{told}")


def test_the_trailer_joins_others_and_is_written_once(repo: Path) -> None:
    """An amended commit names each run that had to do with it, as a reader finds them."""
    message = "Fix the limit\n\nSigned-off-by: Ann <ann@example.com>"
    assert committed(repo, message, BAGGAGE="aftertrace.run.id=a") == f"{message}\nAftertrace-Run: a"
    git(repo, "commit", "-q", "--amend", "--allow-empty", "--no-edit", BAGGAGE="aftertrace.run.id=a")
    git(repo, "commit", "-q", "--amend", "--allow-empty", "--no-edit", BAGGAGE="aftertrace.run.id=b")
    told = git(repo, "log", "-1", "--format=%B")
    assert told.rstrip("\n") == f"{message}\nAftertrace-Run: a\nAftertrace-Run: b"
    assert named_runs(told) == ("a", "b")
    assert named_conversations(told) == ()


def test_a_merge_names_its_run_below_its_subject(repo: Path) -> None:
    """Its message has no line feed at the end; nor has one that is given so."""
    committed(repo, "Begin")
    git(repo, "checkout", "-q", "-b", "other")
    committed(repo, "Other")
    git(repo, "checkout", "-q", "main")
    committed(repo, "Main")
    git(repo, "merge", "-q", "--no-ff", "--no-edit", "other", CODEX_THREAD_ID="t-1")
    assert git(repo, "log", "-1", "--format=%s%n%(trailers)").split("\n")[:2] == [
        "Merge branch 'other'", "Aftertrace-Conversation: t-1",
    ]  # fmt: skip
    assert committed(repo, "No end", "--cleanup=verbatim", CODEX_THREAD_ID="t-1").split("\n")[:2] == ["No end", ""]


def test_a_commit_without_a_message_is_called_off_as_ever(repo: Path) -> None:
    """Also where the diff is shown below the scissors; the control: with a message it is made, and named."""
    (repo / "file").write_text("one\n")
    git(repo, "add", "file")
    agent = {**QUIET, "CODEX_THREAD_ID": "t-1"}
    for editor, code in (("true", 1), ("sh -c 'echo Written > $0.new; cat $0 >> $0.new; mv $0.new $0'", 0)):
        ran = subprocess.run(
            ["git", "-C", str(repo), "commit", "-q", "-v"], env={**agent, "GIT_EDITOR": editor}, capture_output=True,
            check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran.stderr
    assert git(repo, "log", "--format=%s") == "Written"


@pytest.mark.parametrize(
    "configured", [(), (";",), ("auto",), ("%",), ("#", "core.commentString=//"), (";", "commit.cleanup=scissors")]
)
def test_whatever_comments_begin_with_closing_the_editor_calls_the_commit_off(
    repo: Path, configured: tuple[str, ...]
) -> None:
    """A message of comments has no word in it; the control: one word with the comments, and the commit is named."""
    settings = [part for each in configured for part in ("-c", each if "=" in each else f"core.commentChar={each}")]
    (repo / "file").write_text("one\n")
    git(repo, "add", "file")
    for verbose in ((), ("-v",)):
        ran = subprocess.run(
            ["git", "-C", str(repo), *settings, "commit", "-q", *verbose], check=False, capture_output=True, text=True,
            env={**QUIET, "CODEX_THREAD_ID": "t-1", "GIT_EDITOR": "true"},
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (1, "Aborting commit due to empty commit message.\n")
    git(repo, *settings, "commit", "-q", "-e", "-m", "Fix", CODEX_THREAD_ID="t-1", GIT_EDITOR="true")
    assert git(repo, "log", "--format=%B") == "Fix\n\nAftertrace-Conversation: t-1"


def test_a_line_is_a_word_where_comments_begin_otherwise(repo: Path) -> None:
    """So that `#12` is named where somebody set another mark in order to write that."""
    git(repo, "config", "core.commentChar", ";")
    assert committed(repo, "#12", CODEX_THREAD_ID="t-1") == "#12\n\nAftertrace-Conversation: t-1"
    git(repo, "config", "core.commentChar", "#")
    assert committed(repo, "#12", CODEX_THREAD_ID="t-1") == "#12"


def test_a_template_that_nobody_edited_is_called_off_as_ever(repo: Path, tmp_path: Path) -> None:
    """A trailer would be the edit."""
    (tmp_path / "template").write_text("Why: \n")
    git(repo, "config", "commit.template", str(tmp_path / "template"))
    ran = subprocess.run(
        ["git", "-C", str(repo), "commit", "-q", "--allow-empty"], check=False, capture_output=True, text=True,
        env={**QUIET, "CODEX_THREAD_ID": "t-1", "GIT_EDITOR": "true"},
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (1, "Aborting commit; you did not edit the message.\n")
    assert committed(repo, CODEX_THREAD_ID="t-1").endswith("\n\nAftertrace-Conversation: t-1")


def test_a_hook_that_is_there_is_kept_and_runs_first(tmp_path: Path, aftertrace: Command) -> None:
    """With its arguments and its verdict; uninstalling puts it back as it was."""
    git(tmp_path, "init", "-q", "-b", "main", str(tmp_path / "repo"))
    repo, hooks = tmp_path / "repo", tmp_path / "repo/.git/hooks"
    hooks.mkdir(exist_ok=True)
    theirs = '#!/bin/sh\nprintf "Ticket: T-1 %s\\n" "$2" >> "$1"\n[ -z "$REFUSE" ]\n'
    (hooks / NAME).write_text(theirs)
    (hooks / NAME).chmod(0o755)
    ended = aftertrace("git-hook", "install", "--repo", repo)
    assert ended.out == f"installed: {hooks / NAME}\nthe hook that was there runs first: {hooks / BEFORE}\n"
    again = aftertrace("git-hook", "install", "--repo", repo)
    assert (again.code, again.out) == (0, f"already installed: {hooks / NAME}\n")
    assert committed(repo, "Fix\n", CODEX_THREAD_ID="t-1") == (
        "Fix\nTicket: T-1 message\n\nAftertrace-Conversation: t-1"
    )
    refused = subprocess.run(
        ["git", "-C", str(repo), "commit", "--allow-empty", "-m", "x"], env={**QUIET, "REFUSE": "1"}, check=False,
        capture_output=True,
    )  # fmt: skip
    assert refused.returncode == 1
    assert aftertrace("git-hook", "uninstall", "--repo", repo).code == 0
    assert (hooks / NAME).read_text() == theirs
    assert not (hooks / BEFORE).exists()


def test_it_is_never_written_over_what_is_not_ours(repo: Path, aftertrace: Command) -> None:
    """Another tool replaced ours, and one is kept from before: which is needed, only people know."""
    hooks = repo / ".git/hooks"
    (hooks / NAME).write_text("#!/bin/sh\n# new\n")
    (hooks / BEFORE).write_text("#!/bin/sh\n# old\n")
    ended = aftertrace("git-hook", "install", "--repo", repo)
    assert ended.code == 2
    assert ended.err == (
        f"error: install {hooks / NAME}: it is not ours, and {BEFORE} beside it is kept from an earlier time; merge "
        "the two, or remove the one that is not needed, and try again\n"
    )
    assert aftertrace("git-hook", "uninstall", "--repo", repo).out == f"not installed: {hooks / NAME}\n"
    assert [(hooks / name).read_text() for name in (NAME, BEFORE)] == ["#!/bin/sh\n# new\n", "#!/bin/sh\n# old\n"]


def test_worktrees_and_shared_folders_of_hooks_have_it(repo: Path, tmp_path: Path, aftertrace: Command) -> None:
    """Of `core.hooksPath` it is said that it is shared, also where it is relative and the command runs further down."""
    committed(repo, "Begin")
    git(repo, "worktree", "add", "-q", str(tmp_path / "tree"))
    assert aftertrace("git-hook", "status", "--repo", tmp_path / "tree").code == 0
    assert committed(tmp_path / "tree", CODEX_THREAD_ID="t-1").endswith("\n\nAftertrace-Conversation: t-1")
    git(tmp_path, "init", "-q", "-b", "main", str(tmp_path / "other"))
    git(tmp_path / "other", "config", "core.hooksPath", "tools/hooks")
    (tmp_path / "other/deep/down").mkdir(parents=True)
    ended = aftertrace("git-hook", "install", "--repo", tmp_path / "other/deep/down")
    assert ended.out.splitlines() == [
        f"installed: {tmp_path / 'other/tools/hooks' / NAME}",
        "core.hooksPath is tools/hooks: every repository that uses this folder has the hook now",
    ]
    assert committed(tmp_path / "other", CODEX_THREAD_ID="t-1").endswith("\n\nAftertrace-Conversation: t-1")


def test_status_tells_what_is_there(repo: Path, tmp_path: Path, aftertrace: Command) -> None:
    """Ours, ours of another version, another's, none; and that a folder is no repository."""
    hook = repo / ".git/hooks" / NAME
    assert aftertrace("git-hook", "status", "--repo", repo).out == f"installed: {hook}\n"
    hook.write_bytes(script() + b"# edited\n")
    stale = aftertrace("git-hook", "status", "--repo", repo)
    assert (stale.code, stale.out) == (
        1, f"installed, but changed or of another version: {hook}; install it again\n",
    )  # fmt: skip
    assert aftertrace("git-hook", "install", "--repo", repo).out == f"installed: {hook}\n"
    assert hook.read_bytes() == script()
    hook.write_text("#!/bin/sh\n")
    assert aftertrace("git-hook", "status", "--repo", repo).out == f"not installed: {hook}; another hook is there\n"
    hook.unlink()
    absent = aftertrace("git-hook", "status", "--repo", repo)
    assert (absent.code, absent.out) == (1, f"not installed: {hook}\n")
    outside = aftertrace("git-hook", "status", "--repo", tmp_path)
    assert (outside.code, outside.out) == (2, "")
    assert outside.err.startswith(f"error: read {tmp_path}: not a git repository")
