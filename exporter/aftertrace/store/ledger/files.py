"""Tiles and bundles of a ledger on disk: where a partial one is not there any more, the beginning of the whole one."""

from __future__ import annotations

from aftertrace.store.layout import Layout
from aftertrace.tlog.merkle import HASH_BYTES
from aftertrace.tlog.tiles import Bundle, Tile, bundled, entries_in


def read_tile(layout: Layout, tile: Tile) -> bytes:
    """The bytes of a tile.

    Raises:
        FileNotFoundError: neither it nor the whole one is there.
    """
    try:
        return (layout.ledger / tile.path).read_bytes()
    except FileNotFoundError:
        if tile == tile.whole:
            raise
        return (layout.ledger / tile.whole.path).read_bytes()[: tile.width * HASH_BYTES]


def read_bundle(layout: Layout, bundle: Bundle) -> bytes:
    """The bytes of a bundle of entries.

    Raises:
        FileNotFoundError: neither it nor the whole one is there.
        Invalid: the whole one is not a bundle.
    """
    try:
        return (layout.ledger / bundle.path).read_bytes()
    except FileNotFoundError:
        if bundle == bundle.whole:
            raise
        whole = (layout.ledger / bundle.whole.path).read_bytes()
        return bundled(entries_in(whole, bundle.whole)[: bundle.width])
