"""Installing what a case needs: once, into a folder of the cache that is named after what is in it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from .agent import Agent, Installation

LIMIT_S: Final = {"npm": 300.0, "pip": 900.0}
"""For one installation. What npm does not have in five minutes it waits for without end."""
_DONE: Final = "installed.txt"
_STALLED: Final = "--fetch-timeout=60000"
"""A connection that gives nothing for a minute is tried anew: npm waits five, and then the whole may be over."""


class Skipped(Exception):
    """A case cannot run here, and why."""


def installed(agent: Agent, cache: Path) -> Path:
    """The folder of the case's installation, made if it is not there.

    Raises:
        Skipped: a program or the network is missing.
    """
    for program in agent.needs:
        if shutil.which(program) is None:
            raise Skipped(f"{program} is not on the path")
    folder = cache / "installed" / _name(agent.installation)
    if (folder / _DONE).exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in _commands(agent.installation, folder):
        try:
            ended = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=LIMIT_S[agent.installation.maker],
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Skipped(f"{command[0]}: {type(error).__name__}") from error
        if ended.returncode != 0:
            last = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or ["no message"]
            raise Skipped(f"{agent.installation.maker} ended with {ended.returncode}: {last[0][:200]}")
    (folder / _DONE).write_text("\n".join(agent.installation.packages) + "\n", encoding="utf-8")
    return folder


def binaries(installation: Installation, folder: Path) -> Path:
    """Where an installation's programs are."""
    return folder / ("bin" if installation.maker == "pip" else "node_modules/.bin")


def _name(installation: Installation) -> str:
    digest = hashlib.sha256("\n".join((installation.maker, *installation.packages)).encode()).hexdigest()
    first = installation.packages[0].lstrip("@").replace("/", "-").partition("==")[0].partition("@")[0]
    return f"{first}-{digest[:12]}"


def _commands(installation: Installation, folder: Path) -> list[list[str]]:
    if installation.maker == "npm":
        install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", _STALLED]
        return [[*install, *installation.packages]]
    python = str(folder / "bin" / "python")
    return [
        [installation.python or sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *installation.packages],
    ]
