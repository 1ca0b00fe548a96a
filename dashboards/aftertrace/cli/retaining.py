"""`retention`: how long records are kept; what would be destroyed, and destroying it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from aftertrace.cli import settings
from aftertrace.cli.held import held_by, requests_of
from aftertrace.cli.holding import told, who
from aftertrace.cli.output import form_option, say
from aftertrace.cli.terms import are_of_records, configured, content_days, named_records
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import size
from aftertrace.store.errors import Invalid
from aftertrace.store.layout import Layout

if TYPE_CHECKING:
    from aftertrace.store.ledger.acts import Erasing, Recorded, Retaining
    from aftertrace.store.ledger.contents import RetainingContents
    from aftertrace.store.ledger.entries import Retained, Withdrawn
    from aftertrace.store.retention.contents import ContentsOfDay, ContentsPlan
    from aftertrace.store.retention.plan import Held, Plan
    from aftertrace.store.retention.policy import Policy

_PATIENCE_S: Final = 15.0
"""How long a running `serve` may need until nobody sees the records any more."""
_POLL_S: Final = 0.2
_SHORTEST_PLAN: Final = 8


@click.group(short_help="Destroy records whose term is over.")
def retention() -> None:
    """Destroy records whose term is over.

    Terms are in `[retention]` of the configuration. `plan` says what would be destroyed, and `apply` does it; by itself
    nothing is, unless `retention.every_hours` says how often `serve` does it. What is held (`aftertrace hold`) stays.
    """


@retention.command("plan", short_help="Say what would be destroyed, what stays, and why.")
@form_option(("text", "json"), "How to write the plan; JSON is one object.")
@settings.data_option
def plan(data: Path, form: str) -> None:
    """Say what would be destroyed, what stays and why. Nothing is changed."""
    found, contents, _ = planned_now(data)
    said = [json.dumps(_object(found, contents))] if form == "json" else _page(found, contents)
    say(said, None)


@retention.command(short_help="Destroy what a plan says.")
@click.option(
    "--plan",
    "digest",
    metavar="PLAN",
    required=True,
    help="The plan that `retention plan` names at its end, or its beginning: any other is refused.",
)
@click.option(
    "--today",
    metavar="DATE",
    help="The day that it is, in UTC, where nothing was received for so long that the clock is not believed.",
)
@told
@settings.data_option
def apply(data: Path, digest: str, today: str | None, why: str, by: str | None) -> None:
    """Destroy what a plan says, and nothing else.

    It is refused where the clock is more than 31 days ahead of the newest record, or behind it or the newest act: a
    clock that jumped would make everything over. The order becomes an entry of the ledger. Once that is signed, the
    records go from the tables, then their bytes from the disk: files of tables, the log, and what was derived. Without
    `serve` all of it is done when this returns. A running `serve` leaves files for an hour to whoever is reading them.
    """
    found, contents, layout = planned_now(data)
    name = _name(found, contents)
    if len(digest) < _SHORTEST_PLAN or not name.startswith(digest):
        raise Invalid(
            f"retention apply --plan {digest!r}: the plan is {name} now, expected it; what would go has "
            "changed, look at it again: aftertrace retention plan"
        )
    if not found.going and not contents.going:
        click.echo("nothing is over: nothing was destroyed")
        return
    if today is not None and today != found.today.isoformat():
        raise Invalid(
            f"retention apply --today {today!r}: the clock says {found.today}, expected both to be one; set it"
        )
    for asked, what in orders(found, contents, who(by), why, None if today is None else found.today):
        carry_out(layout, asked, what)


def orders(
    found: Plan, contents: ContentsPlan, by: str, why: str, today: date | None = None
) -> Iterator[tuple[Retaining | RetainingContents, str]]:
    """The acts that ask for what a plan says, and what each destroys; `today` as of `Plan.order`."""
    if contents.going:
        blobs = sum(len(each.blobs) for each in contents.going)
        yield contents.order(by, why, today), f"{blobs:,} contents"
    if found.going:
        requests = sum(each.requests for each in found.going)
        yield found.order(by, why, today), f"{requests:,} requests"


def carry_out(layout: Layout, asked: Retaining | Erasing | RetainingContents, what: str) -> None:
    """Order something, see it done or begun, and say so.

    Raises:
        Invalid: it was refused.
    """
    from aftertrace.cli.draining import turn, until_entered
    from aftertrace.store.ledger import acts
    from aftertrace.store.ledger.entries import Retained, Withdrawn
    from aftertrace.store.ledger.files import signed_size
    from aftertrace.store.retention.certificate import ORDERS

    ident = acts.ask_to_destroy(layout, asked)
    until_entered(layout, ident, *ORDERS)
    deadline = time.monotonic() + _PATIENCE_S
    while not (done := _became(layout, ident)) and time.monotonic() <= deadline:
        if not turn(layout):
            time.sleep(_POLL_S)
    if isinstance(done, Retained):
        click.echo(f"{ident}: {what} were destroyed")
    elif isinstance(done, Withdrawn):
        click.echo(
            f"{ident}: withdrawn, since a hold came that keeps some of it: `aftertrace verify` says what is gone"
        )
    elif all(each.number < signed_size(layout) for each in acts.recorded(layout) if each.act.id == ident):
        click.echo(f"{ident}: {what} are being destroyed; their files go within an hour or so")
    else:
        click.echo(f"{ident}: {what} stay until the order is signed; no sealer runs, or it refuses: see its log")


@retention.command(short_help="Write what proves that an order was carried out.")
@click.argument("order", metavar="ORDER")
@settings.data_option
def certificate(data: Path, order: str) -> None:
    """Write the certificate of ORDER, as `retention apply` printed it, to standard output.

    One JSON object: what was destroyed, by whose order, why and when, with the entries of the ledger that say so and
    the proofs that lead to what was signed. `retention check` needs it and the public key, and no store.
    """
    from aftertrace.store.retention.certificate import certificate as made

    click.echo(made(Layout(settings.existing(data)), order).decode(), nl=False)


@retention.command(short_help="Check a certificate.")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("--key", metavar="KEY", required=True, help="What ledger/key held when it was kept, or a file with it.")
def check(file: BinaryIO, key: str) -> None:
    """Check the certificate in FILE against a key that was kept, and tell it. Exits with 2 if it does not hold."""
    from aftertrace.store.retention.certificate import check as checked
    from aftertrace.store.verify.given import keys_in

    given = keys_in(key)
    if len(given) != 1:
        raise Invalid(f"retention check --key: {len(given)} keys, expected one; give what ledger/key held")
    said, keys = checked(file.read(), given[0])
    requests = sum(last - first + 1 for each in said["destroyed"] for first, last in each.get("requests", ()))
    records = {(each["receiver"], *place) for each in said["destroyed"] for place in each.get("records", ())}
    contents = sum(len(each.get("contents", ())) for each in said["destroyed"])
    what = f"{len(records):,} records" if records else f"{requests:,} requests"
    what = f"{contents:,} contents" if contents else what
    days = sorted({each["day"] for each in said["destroyed"]})
    led = f", to which {', '.join(map(str, keys[:-1]))} led" if len(keys) > 1 else ""
    lines = [
        f"holds, signed by {keys[-1]}{led}",
        f"{what} received on {len(days)} days from {days[0]} to {days[-1]} were destroyed",
        f"ordered by {said['by']} (account {said['uid']}) at {said['ordered_at']}: {said['why']}",
        f"done at {said['done_at']}, with {said['files']:,} files",
    ]
    if back := said.get("withdrawn"):
        lines.append(f"then hold {back['hold']} came: all else that was ordered stays")
    say([plain(line) for line in lines], None)


def _became(layout: Layout, ident: str) -> Withdrawn | Retained | None:
    """The entry that says what became of an order; None while there is none."""
    from aftertrace.store.ledger import acts
    from aftertrace.store.ledger.entries import Retained, Withdrawn

    found = (each.act for each in acts.recorded(layout) if each.act.id == ident)
    return next((act for act in found if isinstance(act, Withdrawn | Retained)), None)


def _name(found: Plan, contents: ContentsPlan) -> str:
    """By which a plan is ordered: of another one, it is another one."""
    both = found.digest + contents.digest
    return (sha256(both).digest() if contents.going else found.digest).hex()


def planned_now(data: Path) -> tuple[Plan, ContentsPlan, Layout]:
    """What would go of a store by the configured terms. Raises `Invalid`."""
    from aftertrace.store.folder import read_store_key
    from aftertrace.store.ledger import acts
    from aftertrace.store.retention.contents import planned_contents
    from aftertrace.store.retention.plan import planned
    from aftertrace.store.snapshot import Snapshot

    policy, layout = configured(), Layout(settings.existing(data))
    stored = settings.readable(data)
    # What holds is read first: what is set meanwhile makes the plan one of before.
    recorded = acts.recorded(layout)
    held = _held(stored, recorded, policy)
    named = named_records(settings.analysis(stored), policy.evidence) if are_of_records(policy.evidence) else None
    today = datetime.now(UTC).date()
    snapshot, after = Snapshot.of(stored), acts.last_hold(recorded)
    records = planned(snapshot, policy, held, today, after, named)
    has_blobs = layout.blobs.is_dir()
    holds = held_by(stored, acts.holds(recorded)) if has_blobs else []
    key = read_store_key(layout) if has_blobs else b""
    return records, planned_contents(snapshot, key, content_days(), holds, today, after), layout


def _held(data: Path, recorded: tuple[Recorded, ...], policy: Policy) -> list[Held]:
    """What must stay: what is held, and first runs of configurations."""
    from aftertrace.store.ledger import acts
    from aftertrace.store.retention.plan import CONFIGURATION, Held

    holds = acts.holds(recorded)
    if policy.evidence.shortest_days is None:
        return []
    found = held_by(data, holds)
    if policy.keeps_configurations:
        analysis = settings.analysis(data)
        first = analysis.configurations["first_run_id"].drop_nulls().unique()
        found.append(Held(CONFIGURATION, requests_of(analysis, first)))
    return found


def _object(found: Plan, contents: ContentsPlan) -> dict[str, Any]:
    return {
        "plan": _name(found, contents),
        "today": found.today.isoformat(),
        "policy": {
            "digest": found.policy.digest.hex(),
            "evidence_days": found.policy.evidence.days,
            "evidence_days_of": {f"{term.of}:{term.name}": term.days for term in found.policy.evidence.others},
            "floor_days": found.policy.floor_days,
            "keep_configurations": found.policy.keeps_configurations,
            "content_days": contents.term_days,
        },
        "going": [
            {
                "class": "evidence",
                "day": each.day.isoformat(),
                "receiver": each.receiver,
                "requests": each.requests,
                "rows": dict(each.rows),
                "bytes": each.stored_bytes,
                "term_days": each.term_days,
                "term": each.term,
                "stretches": each.stretches,
            }
            for each in found.going
        ]
        + [_of_contents(each) | {"term_days": contents.term_days} for each in contents.going],
        "staying": [
            {
                "class": "evidence",
                "day": each.day.isoformat(),
                "receiver": each.receiver,
                "requests": each.requests,
                "rows": each.rows,
                "why": each.why,
            }
            for each in found.staying
        ]
        + [_of_contents(each) | {"why": each.why} for each in contents.staying],
    }


def _of_contents(of: ContentsOfDay) -> dict[str, Any]:
    return {"class": "content", "day": of.day.isoformat(), "contents": len(of.blobs), "bytes": of.stored_bytes}


def _page(found: Plan, contents: ContentsPlan) -> list[str]:
    lines = [
        f"goes   {each.day}  {len(each.blobs):,} large contents, {size(each.stored_bytes)}: their term is over, "
        f"{contents.term_days} days of contents"
        for each in contents.going
    ]
    lines += [
        f"stays  {each.day}  {len(each.blobs):,} large contents, {size(each.stored_bytes)}: {each.why}"
        for each in contents.staying
    ]
    lines += [
        f"goes   {each.day}  {each.receiver}  {each.requests:,} requests with {sum(each.rows.values()):,} rows, "
        f"about {size(each.stored_bytes)}: its term is over, {each.term}"
        for each in found.going
    ]
    lines += [
        f"stays  {each.day}  {each.receiver}  {each.requests:,} requests with {each.rows:,} rows: {each.why}"
        for each in found.staying
    ]
    requests, stored = sum(each.requests for each in found.going), sum(each.stored_bytes for each in found.going)
    days = len({each.day for each in found.going})
    lines.append(f"in all {requests:,} requests of {days:,} days would go, about {size(stored)}")
    if found.going or contents.going:
        lines.append(f"to destroy this: aftertrace retention apply --plan {_name(found, contents)[:16]} --why '…'")
    return [plain(line) for line in lines]
