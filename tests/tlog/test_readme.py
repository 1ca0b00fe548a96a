"""exporter/TLOG.md: its blocks run, and its table lists the modules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aftertrace.tlog

README = Path(__file__).parents[2] / "exporter" / "TLOG.md"


def test_every_block_runs() -> None:
    """One after the other, in one namespace; the assertions in them hold."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)  # noqa: S102 - the README is ours


def test_every_module_is_in_the_table() -> None:
    """But those that only the others use."""
    listed = set(
        re.findall(r"`([a-z_]+)`", README.read_text(encoding="utf-8").split("|---|---|---|")[1].split("\n\n")[0])
    )
    (folder,) = aftertrace.tlog.__path__
    assert listed == {path.stem for path in Path(folder).glob("*.py")} - {"__init__", "errors", "texts"}


def test_the_package_loads_nothing_of_the_rest() -> None:
    """A verifier that stands alone needs the standard library, and `cryptography` once it looks at a signature."""
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nfrom aftertrace.tlog import checkpoint, cosignature, edge, tiled\nprint(*sorted(sys.modules))",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()
    ours = {name for name in loaded if name.startswith("aftertrace.")}
    assert {name for name in ours if not name.startswith("aftertrace.tlog")} == set()
    assert {"cryptography", "polars", "aftertrace.store"}.isdisjoint(loaded)
