"""`redact`: what the policy of redaction would find, before it is in force or in what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import config, formats, gate, settings
from aftertrace.cli.output import output_options
from aftertrace.cli.progress import Progress
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from google.protobuf.message import Message

_FOUND: Final = 1
_SHOWN: Final = ("rule", "place", "hits")


@click.group("redact")
def redact() -> None:
    """Try rules of redaction."""


@redact.command("test", short_help="Count what the policy would redact, by rule and place.")
@click.argument(
    "files",
    nargs=-1,
    metavar="[FILE...]",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
)
@click.option(
    "--policy",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take `[redaction]` of this file, in the form of aftertrace.toml, instead of the one in force.",
)
@output_options
@settings.data_option
def test(
    files: tuple[Path, ...], policy: Path | None, data: Path, form: formats.Format, out: Path | None, limit: int | None
) -> int:
    """Count what the policy of redaction would replace, by rule and place; never a value, and nothing is changed.

    A place is the key of an attribute, or the name of a field such as `Span.name`.

    In what is stored, what was replaced already is not counted: what is told is what a new policy would find, or came
    before it was in force. A FILE is recorded telemetry, as `aftertrace import` reads it. The exit code is 1 where
    anything is found.
    """
    import polars as pl

    from aftertrace.ingest.redact import Redactor

    told = settings.current() if policy is None else _policy(policy)
    # Of a key of its own: what is counted shows no token.
    redactor = Redactor(gate.policy_for(told), bytes(32))
    found: Counter[tuple[str, str]] = Counter()
    with Progress() as progress:
        messages = _of_files(files) if files else _stored(settings.readable(data))
        for number, (message, source) in enumerate(messages, 1):
            found.update(redactor.places(message, source))
            if number % 1_000 == 0:
                progress.show(f"looked at {number:,}")
    rows = pl.DataFrame(
        [(rule, place, hits) for (rule, place), hits in found.items()],
        schema={"rule": pl.String, "place": pl.String, "hits": pl.Int64},
        orient="row",
    ).sort("hits", "rule", "place", descending=[True, False, False])
    formats.write(rows if limit is None else rows.head(limit), form, shown=_SHOWN, out=out)
    return _FOUND if found else 0


def _policy(file: Path) -> config.Config:
    try:
        return config.parse(file.read_text(encoding="utf-8"), where=str(file))
    except UnicodeDecodeError as error:
        raise Invalid(f"read {file}: {error}; expected TOML in UTF-8") from error


def _of_files(files: tuple[Path, ...]) -> Iterator[tuple[Message, str]]:
    """The requests of files. Raises `Invalid` for what cannot be read."""
    from aftertrace.cli.importing import RECEIVER
    from aftertrace.ingest import files as importable
    from aftertrace.ingest.otlp_json import REQUESTS, decode

    for file in files:
        with importable.opened(file) as source:
            for item in importable.read(source):
                if isinstance(item, importable.Refused):
                    raise Invalid(f"{item.where}: {item.why}")
                is_json = item.encoding == "json"
                message = decode(item.body, item.signal) if is_json else REQUESTS[item.signal].FromString(item.body)
                yield message, RECEIVER


def _stored(data: Path) -> Iterator[tuple[Message, str]]:
    """The records of a store, each with its source, and the resources and scopes of all."""
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from aftertrace.store.snapshot import Snapshot

    kinds: dict[str, type[Message]] = {"traces": Span, "logs": LogRecord, "metrics": Metric}
    snapshot = Snapshot.of(data)
    for part in snapshot.scan("evidence", columns=("signal", "source", "record")).collect_batches():
        for signal, source, record in part.iter_rows():
            yield kinds[signal].FromString(record), source
    for table, kind in (("resources", Resource), ("scopes", InstrumentationScope)):
        for part in snapshot.scan(table, columns=("bytes",)).collect_batches():
            for (stored,) in part.iter_rows():
                yield kind.FromString(stored), ""
