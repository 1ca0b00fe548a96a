"""The `aftertrace` command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


def main() -> None:
    """Run the `aftertrace` command of this process's arguments, and exit."""
    if not os.environ.get("AFTERTRACE_TRACEBACK"):
        sys.excepthook = _defect
    try:
        from aftertrace.cli.root import run
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {missing(error)}\n")
        raise SystemExit(2) from None
    raise SystemExit(run(sys.argv[1:]))


def missing(error: ModuleNotFoundError) -> str:
    """What to say when a library is not installed: which one, and the command that brings it."""
    return (
        f"start aftertrace: {error.name} is not installed, expected all that the command needs; "
        "run pip install 'aftertrace[all]'"
    )


def _defect(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Say that aftertrace itself is at fault. The error's own message may quote telemetry, so it stays out."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f" in {at.tb_frame.f_globals.get('__name__')}:{at.tb_lineno}" if at is not None else ""
    sys.stderr.write(
        f"error: a defect of aftertrace: {kind.__name__}{where}; please report it, with what "
        "AFTERTRACE_TRACEBACK=1 shows\n"
    )
