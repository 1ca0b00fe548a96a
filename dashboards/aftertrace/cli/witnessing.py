"""`witness`: show what is signed of the ledger to witnesses elsewhere, and keep their signatures.

The process that has the key talks to nobody; this one has no key.
"""

from __future__ import annotations

import http.client
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from aftertrace.cli import logs, settings
from aftertrace.cli.children import when_parent_ends
from aftertrace.cli.posting import exchange
from aftertrace.store import durable
from aftertrace.store.errors import Corrupt, Invalid, Unavailable
from aftertrace.store.layout import Layout

if TYPE_CHECKING:
    from aftertrace.tlog.cosignature import WitnessKey
    from aftertrace.tlog.note import Note

_EVERY_S: Final = 60.0
_TIMEOUT_S: Final = 10.0
_MOST_BYTES: Final = 1 << 16
_COSIGNED, _CONFLICT, _NOT_CONSISTENT = 200, 409, 422
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger("aftertrace.witness")


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody elsewhere who signs a checkpoint if the log goes on from the last one that they saw."""

    secure: bool
    host: str
    port: int
    path: str
    key: WitnessKey

    def cosigned(self, layout: Layout, checkpoint: Note) -> Note:
        """A checkpoint of the store's ledger with the signature of the witness.

        Raises:
            Corrupt: it has seen another ledger than there is: one with more entries, or with another past.
            Unavailable: it cannot be reached, refuses, or answers with something else.
        """
        from aftertrace.store.ledger import files
        from aftertrace.tlog import errors
        from aftertrace.tlog.checkpoint import Checkpoint
        from aftertrace.tlog.proofs import prove_consistency
        from aftertrace.tlog.tiled import TiledTree
        from aftertrace.tlog.witness import seen_size, shown, with_answer

        now = Checkpoint.parse(checkpoint.text)
        status, answer = self._sent(shown(0, [], checkpoint))
        try:
            if status == _CONFLICT:
                seen = seen_size(answer)
                if seen > now.size:
                    raise Corrupt(
                        f"witness {self.key.name}: it has seen {seen:,} entries of {now.origin}, and {now.size:,} are "
                        "signed here: the store was put back to an older state, or taken over; run `aftertrace verify`"
                    )
                tree = TiledTree(now.size, now.root, lambda tile: files.read_tile(layout.ledger, tile))
                proof = prove_consistency(seen, now.size, tree.node) if seen else []
                status, answer = self._sent(shown(seen, proof, checkpoint))
            if status == _COSIGNED:
                return with_answer(checkpoint, answer, self.key)
        except errors.Invalid as refusal:
            raise Unavailable(f"witness {self.key.name}: {refusal}; ask its operator", _EVERY_S) from None
        if status == _NOT_CONSISTENT:
            raise Corrupt(
                f"witness {self.key.name}: what it has seen of {now.origin} is not how this ledger begins: its past is "
                "another one; run `aftertrace verify`"
            )
        known = "; it does not know this log, or its key: give its operator ledger/key" if status in (403, 404) else ""
        raise Unavailable(f"witness {self.key.name}: it answered {status}, expected a signature{known}", _EVERY_S)

    def _sent(self, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        try:
            return exchange(
                self.host,
                self.port,
                self.path,
                body,
                headers,
                secure=self.secure,
                timeout_s=_TIMEOUT_S,
                most_bytes=_MOST_BYTES,
            )
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"witness {self.key.name}: {type(error).__name__}, expected an answer; it is tried again", _EVERY_S
            ) from error


def witnesses(told: str) -> Iterator[Witness]:
    """The witnesses of `ledger.witnesses`. Raises `Invalid` for anything else."""
    from aftertrace.tlog import errors
    from aftertrace.tlog.cosignature import WitnessKey
    from aftertrace.tlog.witness import PATH

    for each in filter(None, map(str.strip, told.split(","))):
        url, _, key = each.partition(" ")
        place = urlsplit(url)
        try:
            known = WitnessKey.parse(key.strip())
            port = place.port or (443 if place.scheme == "https" else 80)
        except (errors.Invalid, ValueError) as refusal:
            raise Invalid(f"read ledger.witnesses: {refusal}; give `URL KEY`, with the key of its operator") from None
        if not place.hostname or (
            place.scheme != "https" and (place.scheme, place.hostname in _LOOPBACK) != ("http", True)
        ):
            raise Invalid(f"read ledger.witnesses: {url!r}, expected an https URL, or http to this machine")
        yield Witness(place.scheme == "https", place.hostname, port, f"{place.path.rstrip('/')}/{PATH}", known)


@click.command(short_help="Have witnesses elsewhere sign that the ledger only ever grew.")
@click.option("--follow", is_flag=True, help="Go on until the process is ended; `serve` runs it so.")
@settings.data_option
def witness(data: Path, follow: bool) -> None:
    """Show what is signed of the ledger to the witnesses of `ledger.witnesses`.

    A witness signs a checkpoint only if the ledger goes on from the last one that it has seen, whoever shows it: so a
    store that was put back to an older state, or whose ledger was begun anew by somebody with the key, is found out.
    What they signed is in `ledger/witnessed`, and under the number of its entries in `ledger.anchor`.
    """
    config = settings.current()
    logs.start(config)
    layout = Layout(settings.existing(data))
    known = list(witnesses(config.ledger.witnesses))
    if not known:
        raise Invalid("witness: ledger.witnesses names none, expected `URL KEY`; see the reference")
    anchor = Path(config.ledger.anchor) if config.ledger.anchor else None
    if not follow:
        for line in _shown(layout, known, anchor):
            click.echo(line)
        return
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    when_parent_ends(stopping.set)
    _follow(layout, known, anchor, stopping)


def _follow(layout: Layout, known: list[Witness], anchor: Path | None, stopping: threading.Event) -> None:
    before = b""
    while not stopping.is_set():
        with suppress(FileNotFoundError):
            if (content := layout.checkpoint.read_bytes()) != before:
                try:
                    for line in _shown(layout, known, anchor):
                        _log.debug(line)
                    before = content
                except (Corrupt, Unavailable) as refusal:
                    _log.warning("%s", refusal)
        stopping.wait(_EVERY_S)


def _shown(layout: Layout, known: list[Witness], anchor: Path | None) -> Iterator[str]:
    """Show the checkpoint to each, keep what they sign, and tell of it; of those who did not, at the end.

    Raises:
        Corrupt: one has seen another ledger.
        Unavailable: one did not sign; or nothing is signed yet.
    """
    from aftertrace.tlog import errors
    from aftertrace.tlog.checkpoint import Checkpoint
    from aftertrace.tlog.note import Note

    try:
        note = Note.parse(layout.checkpoint.read_bytes())
        size = Checkpoint.parse(note.text).size
    except (FileNotFoundError, errors.Invalid):
        raise Unavailable(f"witness {layout.data}: no checkpoint, expected what `aftertrace seal` signs") from None
    refusals: list[Unavailable] = []
    for each in known:
        try:
            note = each.cosigned(layout, note)
        except Unavailable as refusal:
            refusals.append(refusal)
            continue
        yield f"{each.key.name} has seen {size:,} entries, and signed that they go on from what it saw before"
    if len(refusals) < len(known):
        durable.write_file(layout.witnessed, bytes(note))
        if anchor is not None:
            durable.make_folder(anchor)
            durable.create_file(anchor / f"{size:020d}.witnessed", bytes(note))
    if refusals:
        raise refusals[0]
