"""What a running `serve` tells the other commands: a small file in the data folder, there while it runs."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_FILE: Final = "serving.json"


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a store is served."""

    process_id: int
    http: str
    """Base URL of OTLP/HTTP."""
    grpc: str
    """URL of OTLP/gRPC."""
    dashboard: str | None
    """URL of the pages; None without them."""


def announce(data: Path, serving: Serving) -> None:
    """Leave word."""
    new = data / f"{_FILE}.new"
    new.write_text(json.dumps(asdict(serving)), encoding="utf-8")
    new.replace(data / _FILE)


def withdraw(data: Path) -> None:
    """Take it back."""
    (data / _FILE).unlink(missing_ok=True)


def find(data: Path) -> Serving | None:
    """Where the store is served now; None if nobody does, also where a killed process left its word behind."""
    try:
        serving = Serving(**json.loads((data / _FILE).read_text(encoding="utf-8")))
        if not _is_alive(serving.process_id, (data / _FILE).stat().st_uid):
            return None
    except (OSError, ValueError, TypeError):
        return None
    return serving


def _is_alive(process_id: int, uid: int) -> bool:
    try:
        os.kill(process_id, 0)
    except PermissionError:
        # It is another account's: that of whoever left word, or one that has got its number since.
        return uid != os.geteuid()
    return True
