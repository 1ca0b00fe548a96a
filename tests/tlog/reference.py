"""Merkle trees, word for word as RFC 6962 section 2.1 defines them: slow, and with nothing of the code under test."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

ENTRIES = tuple(
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
)
"""The entries of the trees whose roots are known from the reference implementation of Certificate Transparency."""

ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Roots of the trees over none of them, the first, the first two …"""


def leaves(count: int) -> list[bytes]:
    """Hashes of some leaves, every one another."""
    return [sha256(b"\x00" + str(index).encode()).digest() for index in range(count)]


LEAVES = leaves(5_000)


@cache
def root(start: int, end: int) -> bytes:
    """MTH(D[start:end]) of `LEAVES`."""
    if start == end:
        return sha256().digest()
    if end - start == 1:
        return LEAVES[start]
    left = _left(end - start)
    return sha256(b"\x01" + root(start, start + left) + root(start + left, end)).digest()


def path(index: int, start: int, end: int) -> list[bytes]:
    """PATH(index - start, D[start:end])."""
    if end - start == 1:
        return []
    middle = start + _left(end - start)
    if index < middle:
        return [*path(index, start, middle), root(middle, end)]
    return [*path(index, middle, end), root(start, middle)]


def proof(old: int, start: int, end: int, *, known: bool = True) -> list[bytes]:
    """SUBPROOF(old - start, D[start:end], known)."""
    if old == end:
        return [] if known else [root(start, end)]
    middle = start + _left(end - start)
    if old <= middle:
        return [*proof(old, start, middle, known=known), root(middle, end)]
    return [*proof(old, middle, end, known=False), root(start, middle)]


def _left(leaves: int) -> int:
    left = 1
    while left * 2 < leaves:
        left *= 2
    return left
