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
from aftertrace.store.ledger.days import days_of
from aftertrace.store.ledger.entries import STRETCHES, Hold, text_of
from aftertrace.store.objects import objects_of
from aftertrace.store.retention.named import NAMED, length, of_requests
from aftertrace.store.retention.policy import Policy, told_days
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
    """That made them over."""
    term: str
    """The same as people read it, with what it is for."""


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

    def order(self, by: str, why: str, today: date | None = None) -> Retaining:
        """The act that asks for it. `today`: the day that it is, where a person says so and not the clock alone."""
        parts = [part for each in self.going for part in _parts(each)]
        return Retaining(
            after=self.after,
            today=UNSET if today is None else today.isoformat(),
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
    snapshot: Snapshot,
    policy: Policy,
    held: Sequence[Held],
    today: date,
    after: int | UnsetType = UNSET,
    named: pl.DataFrame | None = None,
) -> Plan:
    """Plan what a policy makes over. A request is over when all of its records are.

    Args:
        snapshot: of the store.
        policy: the terms.
        held: what must stay.
        today: in UTC. Nothing of it goes, whatever the term.
        after: number of the last hold or release that `held` knows of.
        named: records with terms by agents and tags, columns as in `named.NAMED`; None: the policy has no such terms.

    Raises:
        Corrupt: a file of a table is damaged or missing.
        Unavailable: it cannot be reached.
    """
    days = _days(snapshot, policy, today)
    requests = of_requests(NAMED.to_frame() if named is None else named)
    told = [_told(snapshot, policy, held, requests, today, day) for day in days]
    if told:
        together = _with_firsts(snapshot, pl.concat(told))
        told = [together.filter(pl.col(PARTITION) == day) for day in days]
    going = [each for day, frames in zip(days, told, strict=True) for each in _going(snapshot, day, frames)]
    staying = [each for day, frames in zip(days, told, strict=True) for each in _staying(day, frames)]
    return Plan(policy, today, after, tuple(going), tuple(staying))


def _days(snapshot: Snapshot, policy: Policy, today: date) -> list[date]:
    shortest_days = policy.evidence.shortest_days
    if shortest_days is None:
        return []
    days = {day for table in SEQUENCED for _, day in snapshot.files(table)}
    return sorted(day for day in days if (today - day).days > shortest_days)


def _told(
    snapshot: Snapshot, policy: Policy, held: Sequence[Held], named: pl.DataFrame, today: date, day: date
) -> pl.DataFrame:
    """The rows of `_frames` with their day, their term (`days`, `term`), whether any term made them over, and `why`
    they stay; null: they go.
    """
    frames = _frames(snapshot, day)
    own = snapshot.layout.own(frames["receiver"].unique())
    age_days, default = (today - day).days, length(policy.evidence.days)
    of_source = {source: policy.evidence.of_source(source) for source in frames["source"].unique()}
    usual = told_days(policy.evidence.days)
    lengths = {source: default if term is None else length(term.days) for source, term in of_source.items()}
    texts = {source: usual if term is None else str(term) for source, term in of_source.items()}
    frames = frames.with_columns(
        pl.lit(day).alias(PARTITION),
        days=pl.col("source").replace_strict(lengths, return_dtype=pl.Int64),
        term=pl.col("source").replace_strict(texts, return_dtype=pl.String),
    )
    least_days = pl.min_horizontal(pl.lit(default), "days")
    if named.height:
        # Records of which nothing is told go with those that came with them.
        together = frames.join(named, on=_REQUEST, how="left").join(_records(snapshot, day), on=_REQUEST, how="left")
        is_named = pl.col("named_records").is_not_null() & (
            (pl.col("named_records") >= pl.col("records").fill_null(0)) | (pl.col("named_days") >= pl.col("days"))
        )
        frames = together.with_columns(
            days=pl.when(is_named).then("named_days").otherwise("days"),
            term=pl.when(is_named).then("named_term").otherwise("term"),
            least_days=pl.min_horizontal(least_days, "least_days"),
        )
    else:
        frames = frames.with_columns(least_days=least_days)
    reasons = [(pl.lit(each.why), is_held(each, day)) for each in held]
    reasons.append((pl.lit(FOREIGN), ~pl.col("receiver").is_in(sorted(own))))
    reasons.append((pl.format("its term is {}", "term"), pl.col("days") >= age_days))
    return frames.sort(_REQUEST).with_columns(
        is_over=pl.col("least_days") < age_days,
        why=pl.coalesce(*(pl.when(is_kept).then(reason) for reason, is_kept in reasons)),
    )


def _records(snapshot: Snapshot, day: date) -> pl.DataFrame:
    """`receiver`, `seq` of the requests of a day, and of how many `records` anything is told."""
    place = (*_REQUEST, "index")
    rows = [snapshot.scan(table, columns=[*place, PARTITION]) for table in ("spans", "events")]
    told = pl.concat([frame.filter(pl.col(PARTITION) == day).select(place) for frame in rows]).unique()
    (found,) = collected(told.group_by(_REQUEST).agg(records=pl.len().cast(pl.Int64)))
    return found


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
    going = told.filter(pl.col("why").is_null())
    for (receiver, term, days), rows in going.group_by("receiver", "term", "days", maintain_order=True):
        counts = {table: int(rows[table].sum()) for table in SEQUENCED}
        yield Going(
            receiver=str(receiver),
            day=day,
            stretches=tuple(stretches_of(rows["seq"])),
            requests=rows.height,
            rows=counts,
            stored_bytes=round(sum(counts[table] * bytes_of[table] for table in SEQUENCED)),
            term_days=int(str(days)),
            term=str(term),
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
