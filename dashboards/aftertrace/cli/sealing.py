"""`seal`: sign what the ledger has, once, or for as long as `serve` runs. The one process that reads the key."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import logs, settings
from aftertrace.cli.children import when_parent_ends
from aftertrace.cli.draining import wait_for_lock
from aftertrace.store.errors import Held, Invalid, Unavailable

if TYPE_CHECKING:
    from aftertrace.store.ledger.sealer import Sealer

_EVERY_S: Final = 0.25
"""Between two looks at the ledger: what was stored is signed within a second."""
_RETRY_S: Final = 1.0
_KEEP_S: Final = 60.0
"""Between two copies of the checkpoint elsewhere."""
_PATIENCE_S: Final = 30.0
"""A sealer that runs signs within a second; one that has to be started may wait for a disk."""
_REST_S: Final = 10.0
"""Without a new entry for so long, the log rests."""

_NAMED: Final = 20
"""Requests that are named; how many more there are is counted."""
_NOTHING: Final = (
    "nothing to restore: ledger/checkpoint covers no more than the sealer's own note, and no request has other rows"
)

_log = logging.getLogger("aftertrace.seal")


@click.command()
@click.option("--follow", is_flag=True, help="Go on until the process is ended; `serve` runs it so.")
@click.option(
    "--restore",
    "is_restored",
    is_flag=True,
    help="After a backup was put back: go on from ledger/checkpoint where it is newer than sealer/signed, and sign "
    "requests that were stored once more as other rows.",
)
@click.option(
    "--rotate", "is_rotated", is_flag=True, help="Put another key in the place of the one that signs, which names it."
)
@click.option("--lost-key", "is_lost", is_flag=True, help="The same where the key that signed is gone for good.")
@settings.data_option
def seal(data: Path, follow: bool, is_restored: bool, is_rotated: bool, is_lost: bool) -> None:
    """Sign the ledger.

    `serve` does this by itself, in a process of its own, and `import` and `drain` do it when they have stored what
    there was. The key is made the first time, in sealer/key of the data folder. Keep what ledger/key holds somewhere
    else: it verifies what was signed.

    After a backup was put back and drained, --restore does what is to be done before the sealer goes on, and says what
    that was; it takes nothing back that was signed. `aftertrace verify` then tells what the restore lost, and which
    requests have other rows since. Use it for a restore of your own, and for nothing else: whoever may write to the
    data folder can make the sealer ask for it.

    --rotate makes another key. That it takes the place of the old one is an entry of the ledger that both keys sign, so
    whoever has the old public key is led to the new one; the old secret key is gone when this returns. It works while
    `serve` runs, and goes on where it was stopped. Keep what ledger/key holds then, beside the old one, and give it to
    the operators of witnesses. --lost-key begins with another key where there is no old one that could sign that: it is
    recorded, nobody is led over it, and `aftertrace verify` names it for ever.
    """
    config = settings.current()
    logs.start(config)
    if sum((follow, is_restored, is_rotated, is_lost)) > 1:
        raise Invalid("seal: expected one of --follow, --restore, --rotate and --lost-key at most")
    if is_rotated or is_lost:
        click.echo(_rotated(settings.existing(data), is_lost=is_lost))
        return
    restored = _restored(settings.existing(data)) if is_restored else []
    stopping = threading.Event()
    if follow:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        when_parent_ends(stopping.set)
        sys.addaudithook(_without_network)
    anchor = Path(config.ledger.anchor) if config.ledger.anchor else None
    with opened(settings.existing(data), stopping if follow else None) as sealer:
        if follow:
            _follow(sealer, stopping, anchor)
        _sealed(sealer, is_restored=is_restored)
        sealer.rest()
        _keep(sealer, anchor)
        if sealer.retold:
            restored.append(_retold(sealer.retold))
        if is_restored:
            click.echo("\n".join(restored) or _NOTHING)
        _log.info("the ledger is signed up to entry %d", sealer.size)


def _restored(data: Path) -> list[str]:
    """Let the sealer go on from what was shown; what is to be said of that."""
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger.sealer import restore

    layout = Layout(data)
    wait_for_lock(layout.sealer_lock)
    try:
        before, now = restore(layout)
    except OSError as error:
        raise Unavailable(f"restore sealer of {data}: {error}; free disk space, or see to its permissions") from error
    said = (
        f"sealer/signed covered {before:,} entries, and ledger/checkpoint {now:,}, which its key signed and which "
        "begins with those: the sealer goes on from there"
    )
    return [said] if before != now else []


def _rotated(data: Path, *, is_lost: bool) -> str:
    """Let another key sign, and return when it does; what is to be said of that."""
    from aftertrace.cli.draining import until_entered
    from aftertrace.store.folder import check_format
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger import rotating, sealer
    from aftertrace.store.ledger.entries import Rotation

    layout = Layout(data)
    check_format(layout)
    try:
        asked = rotating.ask(layout, is_lost=is_lost)
        if asked.act is not None:
            until_entered(layout, asked.act, Rotation)
        deadline = time.monotonic() + _PATIENCE_S
        while layout.sealer_next.exists() and time.monotonic() < deadline:
            # Where a `serve` runs, its sealer does it.
            sealer.seal(layout)
            time.sleep(_EVERY_S)
    except OSError as error:
        raise Unavailable(f"rotate key of {data}: {error}; free disk space, or see to its permissions") from error
    if layout.sealer_next.exists():
        raise Unavailable(
            "rotate key: entered in the ledger, and not signed yet: no sealer could; run `aftertrace seal` to see why, "
            "and then this again"
        )
    how = "from here on, and nothing of that is by the key before it" if is_lost else "as the key before it has signed"
    return f"{asked.after} signs {how}: keep it elsewhere, beside the one before"


def _without_network(event: str, _arguments: tuple[object, ...]) -> None:
    """Whoever has the key talks to nobody."""
    if event.startswith("socket."):
        raise PermissionError("the sealer uses no network")


def opened(data: Path, stopping: threading.Event | None = None) -> Sealer:
    """The sealer of a store. One that follows waits for a disk that takes nothing, until it is to stop.

    Raises:
        Unavailable: another one runs and does not end, or the disk takes nothing.
        Corrupt: what was signed is not there any more as it was.
    """
    from aftertrace.store.folder import check_format
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger.sealer import Sealer

    layout = Layout(data)
    check_format(layout)
    wait_for_lock(layout.sealer_lock)
    while True:
        try:
            return Sealer(layout)
        except Held:
            raise
        except (Unavailable, OSError) as error:
            refusal = f"seal {data}: {error}; free disk space, or see to its permissions"
            if stopping is None or stopping.wait(_RETRY_S):
                raise Unavailable(refusal, _RETRY_S) from error
            _log.warning("%s", refusal)


def _follow(sealer: Sealer, stopping: threading.Event, anchor: Path | None) -> None:
    signed_s = kept_s = time.monotonic()
    rests = False
    while not stopping.wait(_EVERY_S):
        try:
            if _sealed(sealer):
                signed_s, rests = time.monotonic(), False
            elif not rests and time.monotonic() - signed_s >= _REST_S:
                sealer.rest()
                rests = True
            if time.monotonic() - kept_s >= _KEEP_S:
                _keep(sealer, anchor)
                kept_s = time.monotonic()
        except Unavailable as refusal:
            _log.warning("%s", refusal)
            stopping.wait(_RETRY_S)


def _keep(sealer: Sealer, anchor: Path | None) -> None:
    """Copy the checkpoint to where it is to be kept; what is kept there already stays as it is."""
    if anchor is None or not sealer.size:
        return
    try:
        sealer.keep(anchor)
    except OSError as error:
        _log.warning("keep the checkpoint in %s: %s; tried again", anchor, error.strerror)


def _retold(requests: list[str]) -> str:
    named, more = ", ".join(requests[:_NAMED]), len(requests) - _NAMED
    return (
        f"{len(requests):,} requests have other rows since tables were put back: {named}"
        + (f" and {more:,} more" if more > 0 else "")
        + "; that is signed now, and `aftertrace verify` names it as restored_otherwise"
    )


def _sealed(sealer: Sealer, *, is_restored: bool = False) -> bool:
    try:
        return sealer.seal(is_restored=is_restored)
    except OSError as error:
        raise Unavailable(f"seal ledger: {error}; free disk space, or see to its permissions", _RETRY_S) from error
