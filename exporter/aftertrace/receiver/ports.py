"""Listening sockets, and what to say when a port is taken."""

from __future__ import annotations

import socket

from aftertrace.store.errors import Unavailable


def listen(what: str, host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any free one. Raises `Unavailable` naming the port when it is
    taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol by its number: of connections that do not tell it asyncio does not know that they are TCP, and lets
    # the system hold an answer's body back until its head is acknowledged, which takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A port that lingers after a restart is ours to take again; a port somebody listens on is not.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"listen for {what} on {host}:{port}: {error.strerror}; choose another port or free this one"
        ) from error
    return listener
