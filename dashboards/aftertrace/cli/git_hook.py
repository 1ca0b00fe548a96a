"""`git-hook`: a hook that names an agent's run in the commits that it makes, for agents that nobody instrumented."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from aftertrace.cli.git_repository import Repository
from aftertrace.dashboards.plain import plain
from aftertrace.store.errors import Invalid

NAME: Final = "prepare-commit-msg"
BEFORE: Final = f"{NAME}.before-aftertrace"
"""What a hook that was there before is kept as; ours runs it first."""
_MARK: Final = b"# aftertrace git-hook\n"
_MARKED_BYTES: Final = 256
EXIT_ABSENT: Final = 1

_repo_option: Final = click.option(
    "--repo",
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="A folder of the repository.  [default: here]",
)


@dataclass(frozen=True, slots=True)
class Hook:
    """The hook of a repository, whoever's it is."""

    folder: Path

    @property
    def path(self) -> Path:
        """Where git looks for it."""
        return self.folder / NAME

    @property
    def before(self) -> Path:
        """Where the one that was there before is kept."""
        return self.folder / BEFORE

    def is_there(self) -> bool:
        """Whether there is any, also as a link that leads nowhere."""
        return self.path.is_symlink() or self.path.exists()

    def is_ours(self) -> bool:
        """Whether it is the one that aftertrace wrote."""
        if self.path.is_symlink() or not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            return _MARK in file.read(_MARKED_BYTES)

    def is_current(self) -> bool:
        """Whether it is ours, and of this version."""
        return self.is_ours() and self.path.read_bytes() == script() and os.access(self.path, os.X_OK)

    def keeps_another(self) -> bool:
        """Whether one that was there before is kept."""
        return self.before.is_symlink() or self.before.exists()


def script() -> bytes:
    """The hook."""
    return files("aftertrace.cli").joinpath("prepare_commit_msg.sh").read_bytes()


@click.group("git-hook", short_help="Name the run in the commits that agents make.")
def git_hook() -> None:
    """Name an agent's run in the trailers of the commits that it makes, though nobody instrumented it.

    The hook is a shell script that needs git and nothing else. It writes `Aftertrace-Run` from the run id in `BAGGAGE`
    (W3C; see `aftertrace.semconv.propagate.to_environment`), else, where Claude Code, Codex or Copilot CLI say that
    they are running, from the trace in `TRACEPARENT`; and `Aftertrace-Conversation` from `CLAUDE_CODE_SESSION_ID`,
    `CODEX_THREAD_ID` or `COPILOT_AGENT_SESSION_ID`. Where there is none of these it does nothing;
    Gemini CLI, say, gives its tools no id. Nothing
    that is no id is written, and no commit fails because of it, nor is one made that git would call off: a message that
    begins from a template (`commit.template`) gets no trailer. `git commit --no-verify` does not skip it. `aftertrace
    provenance git` reads the trailers back.
    """


@git_hook.command(short_help="Install the hook in a repository.")
@_repo_option
def install(repo: Path) -> None:
    """Install the hook in a repository and all its worktrees; a hook that is there is kept, and runs first.

    Where `core.hooksPath` is set, it is installed there, for every repository that uses that folder.
    """
    hook = _hook(repo)
    if hook.is_current():
        click.echo(f"already installed: {plain(str(hook.path))}")
        return
    if hook.is_there() and not hook.is_ours():
        if hook.keeps_another():
            raise Invalid(
                f"install {hook.path}: it is not ours, and {BEFORE} beside it is kept from an earlier time; merge the "
                "two, or remove the one that is not needed, and try again"
            )
        # A crash from here on leaves no hook, and the one that was there beside it: the next install runs it again.
        hook.path.rename(hook.before)
    _write(hook)
    click.echo(f"installed: {plain(str(hook.path))}")
    if hook.keeps_another():
        click.echo(f"the hook that was there runs first: {plain(str(hook.before))}")
    if (shared := Repository(repo).hooks_path()) is not None:
        click.echo(f"core.hooksPath is {plain(shared)}: every repository that uses this folder has the hook now")


@git_hook.command(short_help="Take the hook away.")
@_repo_option
def uninstall(repo: Path) -> None:
    """Take the hook away again, and put back the one that was there before."""
    hook = _hook(repo)
    if not hook.is_ours():
        click.echo(f"not installed: {plain(str(hook.path))}")
        return
    if hook.keeps_another():
        hook.before.replace(hook.path)
        click.echo(f"uninstalled; the hook that was there before is back: {plain(str(hook.path))}")
    else:
        hook.path.unlink()
        click.echo(f"uninstalled: {plain(str(hook.path))}")


@git_hook.command(short_help="Tell whether the hook is installed.")
@_repo_option
def status(repo: Path) -> int:
    """Tell whether the hook is installed and of this version. Exits with 1 if it is not."""
    hook = _hook(repo)
    if hook.is_current():
        after = f", after {plain(str(hook.before))}" if hook.keeps_another() else ""
        click.echo(f"installed: {plain(str(hook.path))}{after}")
        return 0
    if hook.is_ours():
        click.echo(f"installed, but changed or of another version: {plain(str(hook.path))}; install it again")
    else:
        other = "; another hook is there" if hook.is_there() else ""
        click.echo(f"not installed: {plain(str(hook.path))}{other}")
    return EXIT_ABSENT


def _hook(repo: Path) -> Hook:
    folder = Repository(repo).checked().hooks()
    if folder.exists() and not folder.is_dir():
        raise Invalid(f"install a hook in {folder}: it is no folder (core.hooksPath), expected one that holds hooks")
    return Hook(folder)


def _write(hook: Hook) -> None:
    """In one step: git never sees half of it."""
    hook.folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=hook.folder)
    written = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(script())
        written.chmod(0o755)
        written.replace(hook.path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
