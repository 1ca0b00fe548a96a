"""`comment`: what people write about runs, calls and incidents, beside the evidence and never in it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import formats, gate, settings
from aftertrace.cli.account import account
from aftertrace.cli.filters import Instant
from aftertrace.cli.output import output_options
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.verifier.verdicts import EXIT_NOT_ALL

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.store.commentary.comments import AsOf, Kind, Subject
    from aftertrace.store.commentary.log import Commentary
    from aftertrace.store.layout import Layout
    from aftertrace.tlog.keys import VerifierKey
    from aftertrace.tlog.note import Note

_STDIN: Final = "-"
_SHOWN: Final = ("number", "written_at", "author", "kind", "label", "happened_at", "text", "runs", "incidents")


@click.group(short_help="Write about runs, calls and incidents.")
def comment() -> None:
    """Write about runs, calls and incidents, and read what was written.

    Comments are commentary: they lie apart from the evidence, in a log of their own that is signed with a key of its
    own, and nothing that is told of a run rests on them. None is ever changed: a later one replaces it, and both stay.
    """


_ABOUT: Final = (
    click.option("--run", "run_id", metavar="RUN|last", help="About this run."),
    click.option("--call", "call_key", metavar="CALL", help="About this call: its call_key, as `calls` lists it."),
    click.option("--incident", metavar="NAME", help="About this incident; the first comment with a name begins it."),
)


@comment.command(short_help="Write a comment.")
@click.argument("text")
@_ABOUT[0]
@_ABOUT[1]
@_ABOUT[2]
@click.option("--label", metavar="NAME", help="It is a label with this name, and TEXT is its value.")
@click.option("--at", "at_ns", metavar="TIME", type=Instant(), help="It is what happened in an incident at this time.")
@click.option("--finding", is_flag=True, help="It is what an inquiry found.")
@click.option("--replaces", metavar="N", type=click.IntRange(min=1), default=None, help="It replaces comment N.")
@click.option("--author", metavar="NAME", help="Who writes it.  [default: the account that runs this]")
@settings.data_option
def add(
    data: Path,
    text: str,
    run_id: str | None,
    call_key: str | None,
    incident: str | None,
    label: str | None,
    at_ns: int | None,
    finding: bool,
    replaces: int | None,
    author: str | None,
) -> None:
    """Write TEXT about a run, a call or an incident; `-` reads it from standard input. Prints the comment's number.

    It is a note, unless --label, --at or --finding says what else. Secrets in it are replaced as in telemetry. The
    account that ran this and the ledger's checkpoint of that moment are kept with it.
    """
    kinds: list[Kind] = [
        *(("label",) if label is not None else ()),
        *(("event",) if at_ns is not None else ()),
        *(("finding",) if finding else ()),
    ]
    if len(kinds) > 1:
        raise Invalid("add comment: expected one of --label, --at and --finding; write a comment for each")
    about = _subjects(data, run_id, call_key, incident)
    _add(
        data,
        sys.stdin.read() if text == _STDIN else text,
        kinds[0] if kinds else "note",
        about,
        author,
        label=label or "",
        at_ns="" if at_ns is None else str(at_ns),
        replaces=replaces or 0,
    )


@comment.command(short_help="Take a comment back.")
@click.argument("number", type=click.IntRange(min=1))
@click.argument("text")
@click.option("--author", metavar="NAME", help="Who takes it back.  [default: the account that runs this]")
@settings.data_option
def retract(data: Path, number: int, text: str, author: str | None) -> None:
    """Take comment NUMBER back, and say why in TEXT. It stays in the log, and `list --all` shows it."""
    from aftertrace.store.commentary.log import read
    from aftertrace.store.layout import Layout

    there = read(Layout(settings.existing(data))).comments
    if number > len(there):
        raise Invalid(f"retract comment {number}: there are {len(there)}; `aftertrace comment list` shows them")
    _add(data, text, "retraction", there[number - 1].about, author, replaces=number)


@comment.command("list", short_help="List comments.")
@_ABOUT[0]
@_ABOUT[1]
@_ABOUT[2]
@click.option("--label", metavar="NAME", help="Only labels with this name.")
@click.option("--author", metavar="NAME", help="Only theirs.")
@click.option("--all", "everything", is_flag=True, help="Also what was replaced or taken back.")
@output_options
@settings.data_option
def list_comments(
    data: Path,
    run_id: str | None,
    call_key: str | None,
    incident: str | None,
    label: str | None,
    author: str | None,
    everything: bool,
    form: formats.Format,
    out: Path | None,
    limit: int | None,
) -> None:
    """List comments in the order in which they were written; those of an incident by when things happened."""
    import polars as pl

    from aftertrace.analyzer.reading.commentary import comments

    rows = comments(settings.existing(data))
    if run_id is not None:
        rows = rows.filter(pl.col("runs").list.contains(_run_id(data, run_id, rows)))
    for column, wanted in (("calls", call_key), ("incidents", incident)):
        if wanted is not None:
            rows = rows.filter(pl.col(column).list.contains(wanted))
    for column, wanted in (("label", label), ("author", author)):
        if wanted is not None:
            rows = rows.filter(pl.col(column) == wanted)
    if not everything:
        rows = rows.filter(pl.col("replaced_by").is_null(), pl.col("kind") != "retraction")
    if incident is not None:
        rows = rows.sort(pl.coalesce("happened_at", "written_at"), "number")
    formats.write(rows if limit is None else rows.head(limit), form, shown=_SHOWN, out=out)


@comment.command(short_help="Verify that no comment was changed or taken away.")
@click.option("--key", "told", metavar="KEY", multiple=True, help="The key, as commentary/key had it, or a file of it.")
@click.option(
    "--checkpoint",
    "checkpoints",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A copy of commentary/checkpoint that was kept elsewhere.",
)
@settings.data_option
def verify(data: Path, told: tuple[str, ...], checkpoints: tuple[Path, ...]) -> int:
    """Verify the comments against their signed checkpoint, and against what was kept elsewhere.

    Exits with 0 if they hold, with 1 if one was changed or is gone, and with 3 if that rests on a key that lies beside
    them.
    """
    from aftertrace.store.commentary.log import read
    from aftertrace.store.layout import Layout
    from aftertrace.store.verify.given import keys_in, notes_in

    commentary = read(Layout(settings.existing(data)))
    if commentary.key is None:
        sys.stdout.write("no comments\n")
        return 0
    keys = [key for text in told for key in keys_in(text)]
    if keys and commentary.key not in keys:
        raise Corrupt(f"verify comments: signed by {commentary.key}, expected the key that was kept")
    for path in checkpoints:
        for where, note in notes_in(path):
            _compare(commentary, commentary.key, where, note)
    count = len(commentary.comments)
    sys.stdout.write(f"{count} comments are as they were signed, by {commentary.key}\n")
    if commentary.unsigned:
        sys.stdout.write(f"warning: {len(commentary.unsigned)} bytes behind them are not signed, and not shown\n")
    if not keys:
        sys.stdout.write("that key lies beside them: give the one that you kept by --key\n")
    return 0 if keys else EXIT_NOT_ALL


def _add(
    data: Path,
    text: str,
    kind: Kind,
    about: tuple[Subject, ...],
    author: str | None,
    *,
    label: str = "",
    at_ns: str = "",
    replaces: int = 0,
) -> None:
    from aftertrace.store.commentary.comments import Comment
    from aftertrace.store.commentary.log import add as add_comment

    layout = gate.open_store(data, settings.current())
    by = account()
    made = Comment(
        time_ns=str(time.time_ns()),
        author=author if author is not None else by,
        account=by,
        kind=kind,
        about=about,
        text=_without_secrets(layout, text.strip()),
        label=label,
        at_ns=at_ns,
        replaces=replaces,
        as_of=_as_of(layout),
    )
    sys.stdout.write(f"{add_comment(layout, made)}\n")


def _subjects(data: Path, run_id: str | None, call_key: str | None, incident: str | None) -> tuple[Subject, ...]:
    from aftertrace.store.commentary.comments import Subject

    found: list[Subject] = []
    if call_key is not None:
        found += _of_call(data, call_key)
    if run_id is not None:
        run = Subject("run", settings.analysis_of_run(settings.readable(data), run_id)[1])
        if call_key is not None and run not in found:
            raise Invalid(f"add comment: call {call_key!r} is not one of run {run.id}, expected one; leave --run out")
        found = [*(subject for subject in found if subject != run), run]
    if incident is not None:
        found.append(Subject("incident", incident.strip()))
    if not found:
        raise Invalid("add comment: it is about nothing, expected --run, --call or --incident")
    settings.existing(data)
    return tuple(sorted(found, key=lambda subject: (subject.kind, subject.id)))


def _of_call(data: Path, call_key: str) -> list[Subject]:
    """A call, and the run that it is of."""
    import polars as pl

    from aftertrace.store.commentary.comments import Subject

    analysis = settings.analysis(settings.readable(data))
    of_it = analysis.scan("calls", ("run_id", "call_key"), only=pl.col("call_key") == call_key)
    (rows,) = analysis.collected(of_it)
    if not rows.height:
        raise Invalid(f"call {call_key!r}: not found; `aftertrace calls --format json` tells the call_key of each")
    runs = rows["run_id"].drop_nulls().to_list()
    return [Subject("call", call_key), *(Subject("run", run_id) for run_id in runs)]


def _run_id(data: Path, text: str, rows: pl.DataFrame) -> str:
    """The id of a run; one that is not stored any more is known by its comments."""
    if text in set(rows["runs"].explode().drop_nulls()):
        return text
    return settings.analysis_of_run(settings.readable(data), text)[1]


def _without_secrets(layout: Layout, text: str) -> str:
    from aftertrace.ingest.redact_text import TextRedactor
    from aftertrace.ingest.redact_tokens import Tokens
    from aftertrace.store.folder import store_key

    policy = gate.policy_for(settings.current())
    redactor = TextRedactor(Tokens(store_key(layout)), policy.fields, policy.shapes)
    hits: Counter[str] = Counter()
    try:
        found = redactor.redact(text.encode(), hits).decode()
    except UnicodeEncodeError:
        raise Invalid("add comment: bytes that are no text, expected UTF-8") from None
    for rule, count in sorted(hits.items()):
        sys.stderr.write(f"replaced {count} that look like secrets ({rule})\n")
    return found


def _as_of(layout: Layout) -> AsOf | None:
    """What the ledger's checkpoint says now; what it is worth `verify` tells."""
    from aftertrace.store.commentary.comments import AsOf
    from aftertrace.tlog import errors
    from aftertrace.tlog.checkpoint import Checkpoint
    from aftertrace.tlog.note import Note
    from aftertrace.tlog.texts import base64

    with suppress(OSError, errors.Invalid):
        told = Checkpoint.parse(Note.parse(layout.checkpoint.read_bytes()).text)
        return AsOf(told.size, base64(told.root))
    return None


def _compare(commentary: Commentary, key: VerifierKey, where: str, note: Note) -> None:
    from aftertrace.tlog import errors
    from aftertrace.tlog.checkpoint import opened

    try:
        kept = opened(note, key.name, key)
    except errors.Invalid as refusal:
        raise Invalid(f"read --checkpoint {where}: {refusal}; give a copy of commentary/checkpoint") from None
    if kept.size > len(commentary.comments) or commentary.root(kept.size) != kept.root:
        raise Corrupt(f"verify comments: not those of {where}: some were changed, moved or taken away since")
