"""A store with days that are over, and what is asked of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from aftertrace.ingest.drain import DrainOptions
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.acts import Retaining
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.retention.plan import Held, Plan, planned
from aftertrace.store.retention.policy import Policy, Terms
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import Asked, verify
from aftertrace.store.verify.report import Report

from .canaries import files_with
from .drain_samples import DAY_NS, NOON_NS, drain, send, stored, traces

FIRST = date(2025, 11, 25)
TODAY = FIRST + timedelta(days=186)
POLICY = Policy(Terms(184), keeps_configurations=False)
"""Two of the days below are over: the first by two days."""
AT_ONCE = DrainOptions(grace_s=0)


def canary(number: int) -> str:
    """A service that nobody else is."""
    return f"canary-{number}-{number:x}e7b1"


def fill(layout: Layout) -> None:
    """Six requests of three days, two a day; what each holds is nowhere else. The ledger is signed."""
    for day in range(3):
        first = traces(2 * day + 1, service=canary(2 * day + 1))
        second = traces(2 * day + 2, service=canary(2 * day + 2))
        send(layout, first, second, received_ns=NOON_NS + day * DAY_NS)
        drain(layout)
    seal(layout)


def plan(layout: Layout, held: tuple[Held, ...] = (), today: date = TODAY, terms: Policy = POLICY) -> Plan:
    """What would go."""
    return planned(Snapshot.of(layout.data), terms, held, today, acts.last_hold(acts.recorded(layout)))


def holding(layout: Layout) -> tuple[Held, ...]:
    """What is held, as the ledger has it."""
    return tuple(Held(f"hold {each.name}", hold=each) for each in acts.holds(acts.recorded(layout)))


def asked(chosen: Plan) -> Retaining:
    """The order of a plan, from somebody who knows which day it is: nothing has come for long."""
    return chosen.order("ann", "over", datetime.now(UTC).date())


def apply(layout: Layout, chosen: Plan | None = None) -> str:
    """Carry a plan out, as with nothing else running."""
    ident = acts.ask_to_destroy(layout, asked(chosen or plan(layout)))
    for _ in range(2):
        drain(layout, AT_ONCE)
        seal(layout)
    return ident


def checked(layout: Layout) -> Report:
    """Verified as it is."""
    return verify(layout, Asked(patience_s=0))


def codes(report: Report) -> dict[str, set[str]]:
    """What was found, and where."""
    found: dict[str, set[str]] = {}
    for each in report.findings:
        found.setdefault(each.code, set()).add(each.where)
    return found


def left(layout: Layout) -> dict[str, list[int]]:
    """Requests with rows, by table."""
    tables = stored(layout)
    return {name: sorted(tables[name]["seq"].unique()) for name in ("evidence", "spans", "events")}


def every(requests: list[int]) -> dict[str, list[int]]:
    """The same in each table."""
    return dict.fromkeys(("evidence", "spans", "events"), requests)


def canaries(layout: Layout) -> dict[int, bool]:
    """Whether any file has what a request held."""
    return {number: bool(files_with(layout.data, canary(number).encode())) for number in range(1, 7)}
