"""A git repository, read by the `git` command with nothing that its configuration could make git run.

Only plumbing is used, which runs no hooks, pagers, diff drivers or signature checks, and nothing is fetched, replaced
or grafted in. A repository of another owner is refused by git itself, as it should be.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from aftertrace.store.errors import Invalid, Unavailable

COMMIT_BYTES: Final = 1 << 20
"""As much of one commit is looked at; the rest is skipped."""
_REMOTES: Final = 100
_DIGITS: Final = re.compile(r"[0-9a-fA-F]{4,64}")
_SAID_BYTES: Final = 4096
_SAFE: Final = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never", "-c", "gc.auto=0")
"""`protocol.allow` keeps a partial clone from fetching what it lacks."""
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}
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

    def is_shallow(self) -> bool:
        """Whether its history is cut off."""
        return self.run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def remotes(self) -> list[str]:
        """Addresses of its remotes."""
        told = self.run("config", "--local", "--null", "--get-regexp", r"^remote\..*\.(push)?url$").stdout
        pairs = [item.partition(b"\n") for item in told.split(b"\0") if item]
        return [address.decode("utf-8", "replace") for _, _, address in pairs[:_REMOTES]]

    def branches(self) -> frozenset[str]:
        """Names of its branches, and of those of its remotes as they are called there."""
        told = self.run("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes").stdout
        parts = (os.fsdecode(line).split("/") for line in told.splitlines())
        return frozenset("/".join(part[2:] if part[1] == "heads" else part[3:]) for part in parts)

    def commits(self) -> Iterator[tuple[str, bytes]]:
        """Every commit that a branch, tag or remote branch holds: its digits, and what git stores of it, streamed.

        Raises:
            Invalid: git cannot read all of it.
        """
        # The stash and notes are commits of git's own, and nobody's actions.
        wanted = ("--exclude=refs/stash", "--exclude=refs/notes/*", "--all")
        with tempfile.TemporaryFile() as said:
            listing = subprocess.Popen(
                self._command("rev-list", *wanted), stdout=subprocess.PIPE, stderr=said, env=_env()
            )
            reading = subprocess.Popen(
                self._command("cat-file", "--batch"), stdin=listing.stdout, stdout=subprocess.PIPE, stderr=said,
                env=_env(),
            )  # fmt: skip
            listed, read = cast("IO[bytes]", listing.stdout), cast("IO[bytes]", reading.stdout)
            # Only the reader holds it now, so that the lister ends when the reader does.
            listed.close()
            try:
                yield from _batch(read)
                if listing.wait() != 0 or reading.wait() != 0:
                    said.seek(0)
                    lines = said.read(_SAID_BYTES).decode("utf-8", "replace").strip().splitlines() or ["not all of it"]
                    raise Invalid(f"read {self.path}: {lines[-1]}; `git fsck` tells what is damaged")
            finally:
                for process in (listing, reading):
                    process.kill()
                    process.wait()
                read.close()

    def commits_named(self, texts: Sequence[str]) -> list[tuple[str, bytes]]:
        """The commits that some texts are the digits of, or the beginnings of those; the rest names none."""
        given = "".join(f"{text.lower()}\n" for text in texts if _DIGITS.fullmatch(text))
        return list(_batch(io.BytesIO(self.run("cat-file", "--batch", given=given.encode()).stdout))) if given else []

    def stored(self, digits: Sequence[str]) -> frozenset[str]:
        """Which of some commits, or beginnings of their digits, are stored here, on a branch or not."""
        if not digits:
            return frozenset()
        given = "".join(f"{each}\n" for each in digits).encode()
        told = self.run("cat-file", "--batch-check=%(objecttype)", given=given).stdout.decode("utf-8", "replace")
        return frozenset(each for each, said in zip(digits, told.splitlines(), strict=False) if said == "commit")

    def _git_folder(self) -> Path:
        return Path(_line(self.run("rev-parse", "--absolute-git-dir").stdout))

    def _command(self, *arguments: str) -> list[str]:
        return ["git", "-C", str(self.path), *_SAFE, *arguments]


def _env() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    return {**inherited, **_ENVIRONMENT}


def _line(told: bytes) -> str:
    return os.fsdecode(told).removesuffix("\n")


def _batch(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """The objects of `git cat-file --batch`: a line with its size before each, so that no content is taken for it."""
    while head := stream.readline(256):
        parts = head.split()
        if len(parts) != 3:
            continue
        size = int(parts[2])
        kept = stream.read(min(size, COMMIT_BYTES))
        left = size - len(kept) + 1
        while left > 0 and (skipped := stream.read(min(left, COMMIT_BYTES))):
            left -= len(skipped)
        if parts[1] == b"commit":
            yield parts[0].decode("ascii"), kept
