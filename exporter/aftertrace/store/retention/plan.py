"""What retention would destroy now, what stays, and why: day by day, request by request. It changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import polars as pl
from msgspec import UNSET, UnsetType

from aftertrace.store.commits import SEQUENCED
from aftertrace.store.ledger.acts import Destroyed, Retaining
from aftertrace.store.ledger.entries import STRETCHES, Hold, days_of, text_of
from aftertrace.store.objects import objects_of
from aftertrace.store.retention.policy import FOR_EVER, Policy
from aftertrace.store.schema import PARTITION
from aftertrace.store.snapshot import collected
from aftertrace.store.sources import tenant_of

if TYPE_CHECKING:
    from aftertrace.store.snapshot import Snapshot

_REQUEST: Final = ("receiver", "seq")
CONFIGURATION: Final = "first run of a configuration"
FIRST_COPY: Final = "first copy of a record that stays"
FOREIGN: Final = "of a receiver of another data folder"


@dataclass(frozen=True, slots=True)
class Held:
    """Something that keeps requests."""

    why: str
    """As people read it."""
    requests: pl.DataFrame | None = None
    """`receiver`, `seq` of the requests; None where the hold itself tells which they are."""
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Going:
    """Requests of a receiver and a day that are over."""

    receiver: str
    day: date
    stretches: tuple[tuple[int, int], ...]
    requests: int
    rows: Mapping[str, int]
    """In each table."""
    stored_bytes: int
    """Of the files that have them, in proportion to the rows."""
    term_days: int
    """The shortest term of those that made them over."""


@dataclass(frozen=True, slots=True)
class Staying:
    """Requests of a day that some term would have made over, and that stay."""

    receiver: str
    day: date
    why: str
    requests: int
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What retention would destroy."""

    policy: Policy
    today: date
    after: int | UnsetType
    """Number of the last hold or release that was known."""
    going: tuple[Going, ...]
    staying: tuple[Staying, ...]

    @property
    def digest(self) -> bytes:
        """Of all that would go: of another plan, it is another one."""
        told = [[each.receiver, each.day.isoformat(), each.stretches, sorted(each.rows.items())] for each in self.going]
        return sha256(self.policy.digest + json.dumps(told, ensure_ascii=True).encode()).digest()

    def order(self, by: str, why: str) -> Retaining:
        """The act that asks for it."""
        parts = [part for each in self.going for part in _parts(each)]
        return Retaining(
            after=self.after,
            by=by,
            why=why,
            policy=text_of(self.policy.digest),
            plan=text_of(self.digest),
            term_days=min((each.term_days for each in self.going), default=0),
            floor_days=self.policy.floor_days,
            parts=tuple(parts),
        )


def _parts(going: Going) -> Iterator[Destroyed]:
    """As many as entries of the ledger need; the first one counts the rows."""
    rows = dict(going.rows)
    for start in range(0, len(going.stretches), STRETCHES):
        yield Destroyed(
            going.receiver, going.day.isoformat(), going.stretches[start : start + STRETCHES], rows if not start else {}
        )


def planned(
    snapshot: Snapshot, policy: Policy, held: Sequence[Held], today: date, after: int | UnsetType = UNSET
) -> Plan:
    """Plan what a policy makes over.

    Args:
        snapshot: of the store.
        policy: the terms.
        held: what must stay.
        today: in UTC. Nothing of it goes, whatever the term.
        after: number of the last hold or release that `held` knows of.

    Raises:
        Corrupt: a file of a table is damaged or missing.
        Unavailable: it cannot be reached.
    """
    days = _days(snapshot, policy, today)
    told = [_told(snapshot, policy, held, today, day) for day in days]
    if told:
        together = _with_firsts(snapshot, pl.concat(told))
        told = [together.filter(pl.col(PARTITION) == day) for day in days]
    going = [each for day, frames in zip(days, told, strict=True) for each in _going(snapshot, day, frames)]
    staying = [each for day, frames in zip(days, told, strict=True) for each in _staying(day, frames)]
    return Plan(policy, today, after, tuple(going), tuple(staying))


def _days(snapshot: Snapshot, policy: Policy, today: date) -> list[date]:
    if policy.shortest_days is None:
        return []
    days = {day for table in SEQUENCED for _, day in snapshot.files(table)}
    return sorted(day for day in days if (today - day).days > policy.shortest_days)


def _told(snapshot: Snapshot, policy: Policy, held: Sequence[Held], today: date, day: date) -> pl.DataFrame:
    """The rows of `_frames` with their day, the days of their source's `term_days`, whether they are over by it, and
    `why` they stay; null: they go.
    """
    frames = _frames(snapshot, day)
    own = snapshot.layout.own(frames["receiver"].unique())
    terms = {source: policy.days_of(source) for source in frames["source"].unique()}
    age_days = (today - day).days
    over = [source for source, days in terms.items() if days != FOR_EVER and age_days > days]
    reasons = [(each.why, is_held(each, day)) for each in held]
    reasons.append((FOREIGN, ~pl.col("receiver").is_in(sorted(own))))
    reasons.append(("its source has a longer term", ~pl.col("source").is_in(over)))
    return frames.with_columns(
        pl.lit(day).alias(PARTITION),
        term_days=pl.col("source").replace_strict(terms, return_dtype=pl.Int64),
        is_over=pl.col("source").is_in(over),
        why=pl.coalesce(*(pl.when(is_kept).then(pl.lit(reason)) for reason, is_kept in reasons)),
    )


def _with_firsts(snapshot: Snapshot, told: pl.DataFrame) -> pl.DataFrame:
    """The same, with first copies kept as long as a copy: what came again has no rows of its own but in `evidence`."""
    copies = snapshot.scan("evidence", columns=[*_REQUEST, "duplicate_of"]).filter(pl.col("duplicate_of").is_not_null())
    # Names of receivers hold no slash.
    first = pl.col("duplicate_of").str.split("/")
    firsts = pl.struct(receiver=first.list.get(0), seq=first.list.get(1).cast(pl.Int64)).alias("first")
    (pairs,) = collected(copies.select(pl.struct(*_REQUEST).alias("copy"), firsts).unique())
    this = pl.struct(*_REQUEST)
    while True:
        gone = told.filter(pl.col("why").is_null()).select(this.alias("gone"))["gone"]
        wanted = pairs.filter(~pl.col("copy").is_in(gone.implode()), pl.col("first").is_in(gone.implode()))["first"]
        if wanted.is_empty():
            return told
        is_wanted = this.is_in(wanted.implode())
        told = told.with_columns(
            why=pl.when(pl.col("why").is_null() & is_wanted).then(pl.lit(FIRST_COPY)).otherwise("why")
        )


def _going(snapshot: Snapshot, day: date, told: pl.DataFrame) -> Iterator[Going]:
    bytes_of = _bytes_by_row(snapshot, day, told)
    for (receiver,), rows in told.filter(pl.col("why").is_null()).group_by("receiver", maintain_order=True):
        counts = {table: int(rows[table].sum()) for table in SEQUENCED}
        yield Going(
            receiver=str(receiver),
            day=day,
            stretches=tuple(stretches_of(rows["seq"])),
            requests=rows.height,
            rows=counts,
            stored_bytes=round(sum(counts[table] * bytes_of[table] for table in SEQUENCED)),
            term_days=min(rows["term_days"].to_list()),
        )


def _staying(day: date, told: pl.DataFrame) -> Iterator[Staying]:
    kept = (
        told.filter(pl.col("why").is_not_null(), pl.col("is_over"))
        .group_by("receiver", "why", maintain_order=True)
        .agg(requests=pl.len(), rows=pl.sum_horizontal(pl.col(*SEQUENCED).sum()))
    )
    for receiver, reason, requests, rows in kept.iter_rows():
        yield Staying(receiver, day, reason, requests, rows)


def _frames(snapshot: Snapshot, day: date) -> pl.DataFrame:
    """`receiver`, `seq`, `source` of the requests of a day, with the number of rows in each table; in order."""
    found = []
    for table in SEQUENCED:
        rows = snapshot.scan(table, columns=[*_REQUEST, "source", PARTITION]).filter(pl.col(PARTITION) == day)
        (counted,) = collected(rows.group_by(*_REQUEST).agg(pl.col("source").first(), pl.len().alias("rows")))
        found.append(counted.with_columns(table=pl.lit(table)))
    together = pl.concat(found).with_columns(pl.col("source").fill_null(""))
    counts = [pl.col("rows").filter(pl.col("table") == table).sum().cast(pl.Int64).alias(table) for table in SEQUENCED]
    return together.group_by(*_REQUEST).agg(pl.col("source").first(), *counts).sort(_REQUEST)


def is_held(held: Held, day: date) -> pl.Expr:
    """Whether a request of a day is kept, of rows with `receiver`, `seq` and `source`."""
    if held.requests is not None:
        wanted = held.requests.select(pl.struct(*_REQUEST)).to_series().implode()
        return pl.struct(*_REQUEST).is_in(wanted)
    hold = held.hold
    if hold is None:
        return pl.lit(value=False)
    if hold.of == "days":
        between = days_of(hold.name)
        return pl.lit(between is not None and between[0] <= day <= between[1])
    if hold.of == "source":
        return pl.col("source") == hold.name
    # A tenant is the beginning of its sources' names.
    return pl.col("source").map_elements(lambda source: tenant_of(source) == hold.name, pl.Boolean)


def _bytes_by_row(snapshot: Snapshot, day: date, frames: pl.DataFrame) -> dict[str, float]:
    objects = objects_of(snapshot.layout)
    found = {}
    for table in SEQUENCED:
        sizes = [objects.size_bytes(f"{table}/{path}") for path, of in snapshot.files(table) if of == day]
        found[table] = sum(sizes) / max(int(frames[table].sum()), 1)
    return found


def stretches_of(seqs: pl.Series) -> Iterator[tuple[int, int]]:
    """First and last of stretches of whole numbers that stand in order."""
    if not seqs.len():
        return
    starts = (seqs.diff() != 1).fill_null(value=True)
    firsts = seqs.filter(starts)
    lasts = seqs.filter(starts.shift(-1).fill_null(value=True))
    yield from zip(firsts, lasts, strict=True)
