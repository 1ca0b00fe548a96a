"""A git repository, read by the `git` command with nothing that its configuration could make git run.

Only plumbing is used, which runs no hooks, pagers, diff drivers or signature checks, and nothing is fetched. A
repository of another owner is refused by git itself, as it should be.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftertrace.store.errors import Invalid, Unavailable

_SAFE: Final = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never", "-c", "gc.auto=0")
"""`protocol.allow` keeps a partial clone from fetching what it lacks."""
_ENVIRONMENT: Final = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_INHERITED: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
)
"""Set within a hook: they would lead to another repository than the one that was named."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on this machine."""

    path: Path

    def run(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """The outcome of a git command whose answer is short.

        Raises:
            Unavailable: git is not installed.
        """
        try:
            return subprocess.run(self._command(*arguments), input=given, capture_output=True, check=False, env=_env())
        except FileNotFoundError as error:
            raise Unavailable("read git: there is no `git` command on the PATH; install git") from error

    def checked(self) -> Repository:
        """The same, if git can read it.

        Raises:
            Invalid: it is no repository, or somebody else's.
        """
        told = self.run("rev-parse", "--git-dir")
        if told.returncode == 0:
            return self
        said = told.stderr.decode("utf-8", "replace")
        if "dubious ownership" in said or "safe.directory" in said:
            raise Invalid(
                f"read {self.path}: it belongs to another user, and git reads no such repository; if you trust it: "
                f"git config --global --add safe.directory {self.path.resolve()}"
            )
        fatal = [line.removeprefix("fatal: ") for line in said.splitlines() if line.startswith("fatal: ")]
        found = fatal[0] if fatal else f"git ended with {told.returncode}"
        raise Invalid(f"read {self.path}: {found}; give the folder of a git repository")

    def hooks(self) -> Path:
        """The folder that git looks for hooks in: of the repository, or of `core.hooksPath`; it may not exist."""
        told = self.run("rev-parse", "--show-toplevel")
        # A bare repository has no top level, and its hooks are looked for from its own folder.
        top = Path(_line(told.stdout)) if told.returncode == 0 and told.stdout.strip() else self._git_folder()
        return top / _line(Repository(top).run("rev-parse", "--git-path", "hooks").stdout)

    def hooks_path(self) -> str | None:
        """`core.hooksPath`, if it is set."""
        told = self.run("config", "--get", "core.hooksPath")
        return _line(told.stdout) if told.returncode == 0 else None

    def _git_folder(self) -> Path:
        return Path(_line(self.run("rev-parse", "--absolute-git-dir").stdout))

    def _command(self, *arguments: str) -> list[str]:
        return ["git", "-C", str(self.path), *_SAFE, *arguments]


def _env() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    return {**inherited, **_ENVIRONMENT}


def _line(told: bytes) -> str:
    return os.fsdecode(told).removesuffix("\n")
