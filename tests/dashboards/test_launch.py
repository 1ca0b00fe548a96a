"""How the pages are started: on loopback, telling nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

from aftertrace.dashboards import launch


def test_the_command_tells_nobody_and_listens_on_loopback() -> None:
    """Option by option."""
    command = launch.command(Path("store"), port=8600, http="127.0.0.1:9318")
    options, told = command[: command.index("--")], command[command.index("--") + 1 :]
    assert {
        "--server.address=127.0.0.1",
        "--server.port=8600",
        "--server.headless=true",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
        "--client.toolbarMode=minimal",
        "--client.showErrorDetails=none",
    } <= set(options)
    assert told == ["--data", "store", "--http", "127.0.0.1:9318"]
    assert launch.settings(told) == launch.Settings(Path("store"), "127.0.0.1:9318", "127.0.0.1:4317")
    declared = launch.arguments(Path("store"), inventory=Path("inventory.toml"), anchor=Path("kept"))
    found = launch.settings(declared[declared.index("--") + 1 :])
    assert (found.inventory, found.anchor) == (Path("inventory.toml"), Path("kept"))


def test_the_program_that_starts_the_pages_stays_light() -> None:
    """`launch` is imported by `serve`, which should not wait for Streamlit."""
    code = "import sys, aftertrace.dashboards.launch; print('streamlit' in sys.modules or 'polars' in sys.modules)"
    told = subprocess.run([launch.command(Path())[0], "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
