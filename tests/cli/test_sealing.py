"""`seal`: the one process with the key."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from aftertrace.cli import sealing
sys.addaudithook(sealing._without_network)
import socket
for ask in (socket.socket, lambda: socket.create_connection(("127.0.0.1", 1)), lambda: socket.gethostbyname("a")):
    try:
        ask()
    except PermissionError as refusal:
        print(refusal)
"""


def test_the_sealer_is_refused_a_socket() -> None:
    """Whatever it would be for: in a process of its own, since nothing takes that back."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["the sealer uses no network"] * 3
