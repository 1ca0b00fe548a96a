"""The rows of the tables against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Final

import polars as pl

from aftertrace.store.commits import SEQUENCED
from aftertrace.store.digest import origin_digest, record_key
from aftertrace.store.errors import Corrupt
from aftertrace.store.folder import read_store_key
from aftertrace.store.fsck.destroyed import Destroyed
from aftertrace.store.layout import Layout
from aftertrace.store.quarantine import kept
from aftertrace.store.snapshot import Snapshot
from aftertrace.verifier.verdicts import Finding

_PLACE: Final = ["receiver", "seq", "index"]
_RELATION: Final = '"(continues|changes|continued_by|differs_from|conflicts_with|same_id_as):([^"]+)"'
_REPORTED: Final = 20
"""Of one kind, so many places are named; the message of the last says how many more there are."""


def check_rows(layout: Layout, snapshot: Snapshot, unsound: set[str]) -> list[Finding]:
    """Completeness of evidence, its keys, and what `spans` and `events` make of it.

    Tables whose files are damaged are left out: their rows would only repeat what the files have shown.
    """
    if "evidence" in unsound:
        return _unchecked("evidence")
    unread = _unread(layout)
    gone = Destroyed.of(snapshot, "evidence")
    findings = [*_frames(snapshot, gone), *_duplicates(snapshot, gone), *_same_ids(snapshot, gone)]
    if not {"resources", "scopes"} & unsound:
        findings += _keys(layout, snapshot)
    findings += _unchecked("spans") if "spans" in unsound else _spans(layout, snapshot, unread)
    findings += _unchecked("events") if "events" in unsound else _events(snapshot)
    if snapshot.uneven:
        message = "a drain is between two commits, or was stopped there; the next drain goes on"
        findings.append(Finding("tables_uneven", "info", ", ".join(SEQUENCED), message))
    return findings


def _frames(snapshot: Snapshot, gone: Destroyed) -> Iterator[Finding]:
    """Every seq up to the watermark is there, with all its records, unless retention took it."""
    frames = (
        snapshot.scan("evidence")
        .group_by("receiver", "seq")
        .agg(
            rows=pl.len(),
            expected=pl.col("frame_records").max(),
            distinct=pl.col("index").n_unique(),
            last=pl.col("index").max(),
        )
        .collect()
        .join(gone.erased(), on=["receiver", "seq"], how="left")
        .with_columns(pl.col("erased").fill_null(0))
    )
    whole = (
        (pl.col("rows") + pl.col("erased") == pl.col("expected"))
        & (pl.col("distinct") == pl.col("rows"))
        & ((pl.col("last") == pl.col("expected") - 1) | (pl.col("erased") > 0))
    )
    for receiver, seq, rows, expected in (
        frames.filter(~whole).sort("receiver", "seq").select("receiver", "seq", "rows", "expected").iter_rows()
    ):
        yield Finding("evidence_rows", "error", f"evidence {receiver}/{seq}", f"{rows} records, expected {expected}")
    for receiver, stored_seq in snapshot.watermarks:
        missing = gone.missing(receiver, frames.filter(pl.col("receiver") == receiver)["seq"], stored_seq)
        seqs = islice(chain.from_iterable(range(first, last + 1) for first, last in missing), _REPORTED)
        named = [f"evidence {receiver}/{seq}" for seq in seqs]
        count = sum(last - first + 1 for first, last in missing)
        yield from _told("evidence_missing", named, count, "no rows, expected those of an accepted request")


def _duplicates(snapshot: Snapshot, gone: Destroyed) -> Iterator[Finding]:
    """What is called a duplicate says the same as a record that is there: by its bytes, or by its id."""
    columns = [*_PLACE, "record_key", "record_id", "duplicate_of"]
    strange = snapshot.scan("evidence", columns=columns).filter(pl.col("duplicate_of").is_not_null())
    # The first copy may have come through a receiver whose other tables do not hold it yet.
    known = snapshot.scan("evidence", columns=columns, whole=True)
    for same in ("record_key", "record_id"):
        firsts = known.select(same, duplicate_of=pl.concat_str(_PLACE, separator="/"))
        strange = strange.join(firsts, on=["duplicate_of", same], how="anti")
    found = _still("duplicate_of", strange.collect(), gone)
    yield from _places("duplicate_of", found.select(_PLACE), "no first copy of its bytes or id, expected one")


def _still(column: str, rows: pl.DataFrame, gone: Destroyed) -> pl.DataFrame:
    """Rows whose place in a column is not of a request that retention took away."""
    parts = pl.col(column).str.split("/").list
    of = rows.with_columns(_receiver=parts.get(0), _seq=parts.get(1).cast(pl.Int64, strict=False))
    return gone.without(of, "_receiver", "_seq")


def _same_ids(snapshot: Snapshot, gone: Destroyed) -> Iterator[Finding]:
    """What is said to be another record of an id has that id; and which of them contradict each other."""
    columns = [*_PLACE, "record_id", "flags"]
    evidence, known = (
        snapshot.scan("evidence", columns=columns, whole=whole).filter(pl.col("record_id").is_not_null())
        for whole in (False, True)
    )
    told = evidence.with_columns(
        place=pl.col("flags").str.extract(_RELATION, 2), what=pl.col("flags").str.extract(_RELATION, 1)
    )
    related = told.filter(pl.col("place").is_not_null())
    firsts = known.select("record_id", place=pl.concat_str(_PLACE, separator="/"))
    strange = _still("place", related.join(firsts, on=["place", "record_id"], how="anti").collect(), gone)
    yield from _places(
        "record_relation", strange.select(_PLACE), "no record of its id where its flag says, expected one"
    )
    against = related.filter(pl.col("what") == "conflicts_with").select(_PLACE).collect()
    message = "contradicts another record of its id; both are kept, see its flag `conflicts_with`"
    for found in _places("record_conflict", against, message):
        yield replace(found, severity="warning")


def _keys(layout: Layout, snapshot: Snapshot) -> Iterator[Finding]:
    """Origins have their digests, and records their keys, where redaction did not change what they were made from."""
    if not snapshot.watermarks:
        return
    try:
        key = read_store_key(layout)
    except Corrupt as damage:
        yield Finding("store_key", "error", str(layout.store_key.relative_to(layout.data)), str(damage))
        return
    origins: dict[str, dict[str, bytes]] = {}
    for table in ("resources", "scopes"):
        origins[table] = {}
        rows = snapshot.scan(table, columns=["digest", "bytes", "schema_url"]).unique().collect()
        for digest, message, schema_url in rows.iter_rows():
            origins[table][digest] = message
            if origin_digest(message, schema_url) != digest:
                yield Finding("origin_digest", "error", f"{table} {digest}", "bytes do not have this digest")
    columns = [*_PLACE, "record", "resource_digest", "scope_digest", "record_key", "redactions"]
    bad: list[tuple[str, int, int]] = []
    lost: list[tuple[str, int, int]] = []
    for part in snapshot.scan("evidence", columns=columns).collect_batches():
        for receiver, seq, index, record, resource_digest, scope_digest, stored, redactions in part.iter_rows():
            resource = origins["resources"].get(resource_digest)
            scope = origins["scopes"].get(scope_digest)
            if resource is None or scope is None:
                lost.append((receiver, seq, index))
            elif not redactions and record_key(key, resource, scope, record) != stored:
                bad.append((receiver, seq, index))
    yield from _places("record_key", _frame(bad), "record, resource and scope do not have this key")
    yield from _places("origin_missing", _frame(lost), "its resource or scope is not stored")


def _spans(layout: Layout, snapshot: Snapshot, unread: set[str]) -> Iterator[Finding]:
    """One span row for each span that is no duplicate, and no other."""
    wanted = _read_evidence(snapshot).filter(pl.col("signal") == "traces").select(_PLACE)
    counted = snapshot.scan("spans").group_by(_PLACE).agg(rows=pl.len())
    lacking = wanted.join(counted, on=_PLACE, how="anti").collect()
    # Of an order that a hold caught, or a crash, evidence may be there and its spans not.
    gone = Destroyed.of(snapshot, "spans")
    lacking = gone.outside(lacking).join(gone.records, on=_PLACE, how="anti")
    # What no dialect could read is told of in the quarantine of its receiver: of others nobody here can tell.
    own = layout.own(lacking["receiver"].unique())
    missing = _without(lacking.filter(pl.col("receiver").is_in(list(own))), unread)
    yield from _places("span_missing", missing, "its span is not in `spans`", "spans")
    strange = counted.join(wanted, on=_PLACE, how="anti").select(_PLACE).collect()
    yield from _places("span_strange", strange, "points at no evidence of a span, or at a duplicate", "spans")
    double = counted.filter(pl.col("rows") > 1).select(_PLACE).collect()
    yield from _places("span_twice", double, "more than one row", "spans")


def _events(snapshot: Snapshot) -> Iterator[Finding]:
    """Every event points at evidence that is no duplicate, and stands there once."""
    counted = snapshot.scan("events").group_by(*_PLACE, "ordinal").agg(rows=pl.len())
    strange = counted.join(_read_evidence(snapshot).select(_PLACE), on=_PLACE, how="anti").select(_PLACE).collect()
    yield from _places("event_strange", strange, "points at no evidence, or at a duplicate", "events")
    double = counted.filter(pl.col("rows") > 1).select(_PLACE).collect()
    yield from _places("event_twice", double, "more than one row of one ordinal", "events")


def _unread(layout: Layout) -> set[str]:
    """Records that no dialect could read, as `receiver/seq/index`."""
    places: set[str] = set()
    for found in kept(layout):
        if found.code == "record_unreadable":
            frame, _, indexes = found.where.removeprefix("evidence ").rpartition("/")
            places.update(f"{frame}/{index}" for index in indexes.split(","))
    return places


def _unchecked(table: str) -> list[Finding]:
    return [Finding("unchecked", "warning", table, "rows not compared, since its files are damaged")]


def _read_evidence(snapshot: Snapshot) -> pl.LazyFrame:
    return snapshot.scan("evidence", columns=[*_PLACE, "signal", "duplicate_of"]).filter(
        pl.col("duplicate_of").is_null()
    )


def _without(places: pl.DataFrame, unread: set[str]) -> pl.DataFrame:
    return places.filter(~pl.concat_str(_PLACE, separator="/").is_in(list(unread)))


def _places(code: str, places: pl.DataFrame, message: str, table: str = "evidence") -> Iterator[Finding]:
    names = [name for name in _PLACE if name in places.columns]
    found = places.select(names).unique().sort(names).rows()
    named = [f"{table} {'/'.join(map(str, place))}" for place in found[:_REPORTED]]
    yield from _told(code, named, len(found), message)


def _told(code: str, named: Sequence[str], count: int, message: str) -> Iterator[Finding]:
    """The first places, with how many there are in all at the last of them."""
    for number, where in enumerate(named, start=1):
        more = f"; and {count - _REPORTED} more" if number == _REPORTED < count else ""
        yield Finding(code, "error", where, message + more)


def _frame(places: list[tuple[str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(places, schema={"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32}, orient="row")
