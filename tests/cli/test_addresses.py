"""Addresses: read, and given way to whoever was there first."""

from __future__ import annotations

import socket

import pytest

from aftertrace.cli.addresses import Address, settle
from aftertrace.store.errors import Invalid, Unavailable


def test_an_address_reads_back_what_it_writes() -> None:
    """IPv6 hosts stand in brackets."""
    texts = ["127.0.0.1:4318", "[::1]:0", "localhost:65535"]
    assert [str(Address.parse(text)) for text in texts] == texts


@pytest.mark.parametrize("text", ["", "4318", ":4318", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", "h:²"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """The message shows how an address is written."""
    with pytest.raises(Invalid, match=r"expected HOST:PORT such as 127\.0\.0\.1:4318"):
        Address.parse(text)


def test_a_busy_default_port_gives_way_to_the_next_free_one() -> None:
    """Only the default moves: who asks for a port gets that port or an error."""
    with socket.create_server(("127.0.0.1", 0)) as first:
        busy = Address("127.0.0.1", first.getsockname()[1])
        settled = settle(busy, None)
        assert busy.port < settled.port <= busy.port + 50
        with pytest.raises(Unavailable, match="busy, expected it free"):
            settle(busy, busy)


def test_a_port_that_is_promised_to_another_is_not_taken() -> None:
    """The defaults are neighbours: when both are busy, they must not both move to the same port."""
    free = Address("127.0.0.1", 0).free()
    assert settle(free, None, [free.port]).port > free.port


def test_port_zero_stays_zero_until_something_listens() -> None:
    """The receiver picks the port itself, so that nobody can take it in between."""
    anywhere = Address("127.0.0.1", 0)
    assert settle(Address("127.0.0.1", 4318), anywhere) == anywhere
    assert anywhere.free().port > 0
