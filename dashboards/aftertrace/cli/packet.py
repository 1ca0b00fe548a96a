"""`packet`: evidence for somebody who trusts nobody here, with the proofs to check it by."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from aftertrace.cli import serving, settings
from aftertrace.cli.draining import turn_while
from aftertrace.cli.filters import filter_options
from aftertrace.cli.reporting import Calendar
from aftertrace.store.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aftertrace.analyzer.packets.asked import Asked
    from aftertrace.analyzer.packets.making import Source
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger.entries import Entry
    from aftertrace.store.ledger.proving import Prover

Found = TypeVar("Found")

PATIENCE_S: Final = 10.0
"""How long the sealer may take: it is a second behind at most."""
ENTERED_PATIENCE_S: Final = 60.0
"""How long whoever cannot store waits for a running `serve` to do it: it may have much to store."""
_POLL_S: Final = 0.1
_DIR: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE: Final = click.Path(exists=True, path_type=Path)


class NamedPeriod(Calendar):
    """A period as `report` takes it, with the name that it was given."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name, and what `Calendar` makes of it."""
        return value if isinstance(value, tuple) else (value, super().convert(value, param, ctx))


@click.command(short_help="Export runs with the proofs by which others can check them.")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--incident",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What an incident is about, as TOML: `title`, `runs`, `find`, `since`, `until`.",
)
@click.option(
    "--period",
    metavar="PERIOD",
    type=NamedPeriod(),
    help="The counts of a period (2026-Q4, 2026-11, 2026-W47 …, as for `report`) and some of its runs, drawn by seed.",
)
@click.option("--sample", metavar="N", type=click.IntRange(1, 1000), help="How many runs of the period.  [default: 20]")
@click.option(
    "--seed",
    metavar="TEXT",
    help="What draws them: best somebody else's word.  [default: the root that was signed last]",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    metavar="FILE",
    multiple=True,
    type=_FILE,
    help="A checkpoint that whoever gets the packet has kept, or a folder of them: that it goes on from it is proven.",
)
@click.option(
    "--ledger",
    "ledgers",
    metavar="DIR",
    multiple=True,
    type=_DIR,
    help="The folder `ledger` of another receiver that stores in the same tables, or a copy of it.",
)
@click.option(
    "--out",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The file to write, or the folder where its name does not end in .zip.  [default: aftertrace-….zip here]",
)
@filter_options(("as_of",))
@settings.data_option
def packet(
    runs: tuple[str, ...],
    incident: Path | None,
    period: tuple[str, tuple[int, int, int]] | None,
    sample: int | None,
    seed: str | None,
    checkpoints: tuple[Path, ...],
    ledgers: tuple[Path, ...],
    out: Path | None,
    as_of: int | None,
    data: Path,
) -> None:
    """Export runs, an incident, or a sample of a period, as a packet: one file, or a folder.

    It holds every record of these runs with all fields and with proofs that lead to what was signed, the run records as
    pages and as JSON, the policies in force, and what is missing and why; of other runs in the same requests it holds
    hashes alone. It is a BagIt bag, and the same from the same state of the ledger, byte for byte. Whoever gets it
    checks it with `aftertrace-verify` and the public key (ledger/key), which you give them by another way.

    Each RUN is named as for `aftertrace run`. The export is recorded in the ledger; the proof of that is the packet's
    receipt.
    """
    from aftertrace.analyzer.documents.words import count
    from aftertrace.analyzer.packets.bag_writer import BagWriter
    from aftertrace.analyzer.packets.making import make
    from aftertrace.store.ledger import exports
    from aftertrace.store.ledger.proving import Prover
    from aftertrace.verifier import layout as inside

    asked = replace(_asked(runs, incident, period, sample, seed, as_of), as_of_ns=as_of)
    layout = _signed(settings.readable(data))
    target = out or Path(f"aftertrace-{_name(asked)}.zip")
    if target.exists():
        raise Invalid(f"packet: {target} is there already, expected a new name; say which: --out PATH")
    before = Prover(layout.ledger)
    source = _source(layout, ledgers, checkpoints)
    with tempfile.TemporaryDirectory(prefix=".aftertrace-packet-", dir=target.absolute().parent) as scratch:
        bag = BagWriter(Path(scratch))
        made = make(bag, source, asked)
        act = exports.ask(layout, made.about.kind, len(made.about.runs), made.digest)
        _until_taken(layout, lambda: exports.is_waiting(layout, act))
        entered = _until(layout, lambda ledger: ledger.export(act, before.size))
        if entered is not None:
            ledger, index = entered
            bag.add(inside.RECEIPT, bytes(ledger.proof(index)))
            # Another key may have come meanwhile: whoever has the packet is led to it, but not over one that was lost.
            for number in (entry for entry in ledger.rotations() if entry >= made.entries):
                bag.add(inside.receipt_rotation(number), bytes(ledger.proof(number)))
                if ledger.is_break(number):
                    raise Unavailable("packet: the key that signs was lost since it was begun; make it again")
        if target.suffix == ".zip":
            bag.write_archive(target)
        else:
            bag.write_folder(target)
    about = made.about
    click.echo(f"{target}: {count(len(about.runs), 'run')}, {count(about.counts['evidence'], 'record')}")
    if entered is None:
        click.echo(
            "note: its export is not signed yet, so it has no receipt; see whether `aftertrace serve` runs, and "
            "`aftertrace verify`",
            err=True,
        )


def _asked(
    runs: tuple[str, ...],
    incident: Path | None,
    period: tuple[str, tuple[int, int, int]] | None,
    sample: int | None,
    seed: str | None,
    as_of: int | None,
) -> Asked:
    from aftertrace.analyzer.documents.periods import Period
    from aftertrace.analyzer.packets import asked

    if sum((bool(runs), incident is not None, period is not None)) != 1:
        raise Invalid(
            "packet: expected one of RUN, --incident FILE and --period PERIOD; see `aftertrace packet --help`"
        )
    if period is None and (sample is not None or seed is not None):
        raise Invalid("packet: --sample and --seed draw runs of a period, expected --period with them")
    if incident is not None:
        return asked.incident(incident)
    if period is None:
        return asked.Asked("run", "", runs)
    name, (since_ns, until_ns, before_ns) = period
    span = Period.of(since_ns, until_ns, now_ns=time.time_ns(), as_of_ns=as_of, before_ns=before_ns)
    return asked.Asked(
        "period", f"Runs of {name}", period=span, period_name=name, sample=sample or asked.SAMPLE, seed=seed
    )


def _name(asked: Asked) -> str:
    told = asked.period_name or (asked.runs[0] if asked.kind == "run" and len(asked.runs) == 1 else "")
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in told).strip("-")[:40]
    return f"{asked.kind}-{kept}" if kept else asked.kind


def _signed(data: Path) -> Layout:
    """The store, once all that its tables hold is signed, as far as it is within some seconds."""
    from aftertrace.store.layout import Layout
    from aftertrace.store.snapshot import Snapshot

    layout = Layout(data)
    own = set(layout.receivers())
    stored = {receiver: seq for receiver, seq in Snapshot.of(data).watermarks if receiver in own}

    def signed(ledger: Prover) -> Entry | None:
        last = ledger.last()
        if last is None or any(last.upto.get(receiver, 0) < seq for receiver, seq in stored.items()):
            return None
        return last

    if _until(layout, signed) is None:
        click.echo("note: not all that is stored is signed; run `aftertrace verify` to see why", err=True)
    return layout


def _until_taken(layout: Layout, is_waiting: Callable[[], bool]) -> None:
    """Return when the drain has taken what was left for it, or does not come to it for an account that only reads."""
    if os.access(layout.data, os.W_OK):
        turn_while(layout, is_waiting)
        return
    deadline = time.monotonic() + ENTERED_PATIENCE_S
    while is_waiting() and time.monotonic() < deadline and serving.find(layout.data) is not None:
        time.sleep(_POLL_S)


def _until(layout: Layout, look: Callable[[Prover], Found | None]) -> tuple[Prover, Found] | None:
    """What is found in the ledger as it is signed, once it is, whoever signs; None if it takes too long."""
    from aftertrace.store.ledger.proving import Prover
    from aftertrace.store.ledger.sealer import seal

    deadline = time.monotonic() + PATIENCE_S
    while True:
        refusal = None
        try:
            ledger = Prover(layout.ledger)
            if (found := look(ledger)) is not None:
                return ledger, found
        except Unavailable as none:
            refusal = none
        if time.monotonic() >= deadline:
            if refusal is not None:
                raise refusal
            return None
        # Where a `serve` runs, its sealer does.
        seal(layout)
        time.sleep(_POLL_S)


def _source(layout: Layout, ledgers: tuple[Path, ...], checkpoints: tuple[Path, ...]) -> Source:
    from aftertrace.analyzer.packets.making import Source
    from aftertrace.store.verify.given import notes_in
    from aftertrace.tlog import errors
    from aftertrace.tlog.checkpoint import Checkpoint

    try:
        kept = tuple(Checkpoint.parse(note.text) for path in checkpoints for _, note in notes_in(path))
    except errors.Invalid as refusal:
        raise Invalid(str(refusal)) from None
    config, declared = settings.current(), settings.inventory()
    return Source(
        data=layout.data,
        ledgers=(layout.ledger, *ledgers),
        inventory=declared,
        policies=_policies(),
        configuration={
            "at": "when the packet was made",
            "redaction": asdict(config.redaction),
            "store": {"metrics": config.store.metrics},
            "inventory": None if declared is None else asdict(declared),
        },
        kept=kept,
        software=f"aftertrace {version('aftertrace')}",
    )


def _policies() -> Mapping[str, bytes]:
    """The policies that are known: the one that is configured, and the one without a configuration."""
    from aftertrace.cli.config import RedactionSection
    from aftertrace.cli.gate import policy_for

    config = settings.current()
    known = (policy_for(config), policy_for(replace(config, redaction=RedactionSection())))
    return {policy.digest: policy.document for policy in known}
