"""Provenance: what a system of record says was done, held against what the runs of a store say they did.

Three questions: which actions have a run, and how that is known; which are an agent's and have none; and which actions
do runs claim, or records name a run for, that are not there. What a run claims elsewhere is left out: a claim is held
against a place only where it names the place, or its run has another action there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.provenance.actions import Action
from aftertrace.analyzer.provenance.authors import AGENTS, KnownAgent, agent_of, bot_of
from aftertrace.analyzer.provenance.claims import Claim
from aftertrace.analyzer.provenance.named_runs import Known
from aftertrace.analyzer.provenance.sought_claims import Sought

VERDICTS: Final = {
    "run": "the action has a run that is in the store",
    "no_run": "an agent had to do with it, and nothing leads to a run",
    "unknown_run": "it names a run or conversation that is not in the store",
    "not_there": "a run says that it made it, and it is not in the records",
    "unreachable": "a run says that it made this commit, and no branch holds it: amended, squashed, unpushed …",
}
"""What is told of an action."""
FINDINGS: Final = ("no_run", "unknown_run", "not_there")
"""Verdicts that somebody should look at."""
PROVENANCE: Final = {
    "first_ns": (pl.Int64, "when it was done; of what is not there, when the call was made"),
    "verdict": (pl.String, "`run`, `no_run`, `unknown_run`, `not_there` or `unreachable`"),
    "how": (
        pl.List(pl.String),
        (
            "how the run is known: `receipt`; `trailer`, the record names the run; `conversation`, it names that; "
            "`result`, of the tool call that made it"
        ),
    ),
    "basis": (pl.String, "of the run: `explicit`, a receipt or the record names it; `inferred`"),
    "system": (pl.String, "system of record"),
    "kind": (pl.String, "`commit`, `pull_request`, `issue`, `row` or `object`"),
    "object": (pl.String, "its id there"),
    "url": (pl.String, "where a person can look at it"),
    "title": (pl.String, "its first line"),
    "author": (pl.String, "who made it, as the record says"),
    "agent": (pl.String, "agent that had to do with it, by the record"),
    "sign": (pl.String, "by what that can be told"),
    "named": (pl.String, "the run or conversation as the record names it"),
    "run_id": (pl.String, "run in the store"),
    "agent_name": (pl.String, "agent of the run"),
    "tool_name": (pl.String, "tool of the call that made it"),
    "tool_call_id": (pl.String, "the sender's id of that call"),
    "approved_by": (pl.String, "who or what let that call run; null is not told"),
    "reviewed_by": (pl.List(pl.String), "who approved it in the system of record; null is not told"),
    "evidence": (pl.String, "`receiver/seq/index` of the receipt or result"),
}
"""Columns of a provenance report."""
SCHEMA: Final = pl.Schema({name: kind for name, (kind, _) in PROVENANCE.items()})  # type: ignore[arg-type]  # DataType or its class


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What was scanned."""

    name: str
    """As the user named it."""
    kinds: frozenset[str]
    """Kinds of which all are there: what is claimed of others is not held against it."""
    projects: frozenset[str] = frozenset()
    """`owner/name` of the repositories it holds, in lower case."""
    branches: frozenset[str] = frozenset()
    """Names of its branches: what was pushed to one of them should be there."""
    system: str | None = None
    """Name of the system whose receipts are held against it, where that is not by project."""
    since_ns: int | None = None
    """Actions and claims before then are left out."""
    until_ns: int | None = None
    """Those from then on are."""
    begins_ns: int | None = None
    """What was claimed before its first action is not held against it: an export need not begin with the first."""
    ends_ns: int | None = None
    """Nor is what was claimed after it was made."""
    is_whole: bool = True
    """False for a shallow clone: what is not in it may be all the same."""
    has_reviews: bool = False
    """Whether it tells who approved an action there."""


@dataclass(slots=True)
class Provenance:
    """What was found."""

    place: Place
    rows: pl.DataFrame
    """Columns as in `PROVENANCE`, what somebody should look at first, the latest first."""
    actions: int = 0
    """Actions in the window of time."""
    of_people: int = 0
    """Actions by nobody known as an agent, and without a run."""
    of_bots: Counter[str] = field(default_factory=Counter)
    """Of those, by accounts of programs."""
    unplaced: int = 0
    """Claims of commits that tell no repository, of runs without another action here."""

    def count(self, verdict: str) -> int:
        """Actions of a verdict."""
        return self.rows.filter(pl.col("verdict") == verdict).select("system", "kind", "object").n_unique()


def provenance(
    actions: Iterable[Action],
    place: Place,
    claimed: Sequence[Claim],
    known: Known,
    *,
    agents: Sequence[KnownAgent] = AGENTS,
    kept: Callable[[Sequence[str]], frozenset[str]] = lambda _: frozenset(),
) -> Provenance:
    """Hold actions against runs. The actions are gone through once, and only those of agents and runs are kept.

    Args:
        actions: what the system of record holds.
        place: what was scanned; `projects` may grow while the actions are gone through.
        claimed: what runs say they made (`claims.claims`).
        known: the runs of the store.
        agents: how agents are told from people.
        kept: which of some commits are stored, though no branch holds them.
    """
    report = Provenance(place, pl.DataFrame(schema=SCHEMA))
    # The ids of one system mean nothing in another.
    of_system = [claim for claim in claimed if place.system is None or _is_of(claim, place.system)]
    sought, rows, here = Sought(of_system), [], set[str]()
    for action in actions:
        met = sought.of(action)
        if not _within(action.at_ns, place):
            continue
        report.actions += 1
        told = _rows(action, met, known, agents)
        here.update(row["run_id"] for row in told if row["run_id"] is not None)
        rows += told
        if not told:
            report.of_people += 1
            if (bot := bot_of(action.people)) is not None:
                report.of_bots[bot] += 1
    missing, report.unplaced = _missing(sought.unmet(), place, here, known)
    stored = kept([claim.id for claim in missing if claim.kind == "commit"])
    rows += [_row_of_claim(claim, _verdict(claim, place, stored)) for claim in missing]
    report.rows = pl.DataFrame(rows, SCHEMA, orient="row").sort(
        pl.col("verdict").cast(pl.Enum([*FINDINGS, "unreachable", "run"])), "first_ns", "object", "run_id",
        descending=[False, True, False, False], nulls_last=True,
    )  # fmt: skip
    return report


def _is_of(claim: Claim, system: str) -> bool:
    return (claim.system or "").lower() == system.lower()


def _within(at_ns: int | None, place: Place) -> bool:
    return _is_in(at_ns, place.since_ns, place.until_ns)


def _is_in(at_ns: int | None, since_ns: int | None, until_ns: int | None) -> bool:
    """What tells no time is looked at whenever."""
    if at_ns is None:
        return True
    return (since_ns is None or at_ns >= since_ns) and (until_ns is None or at_ns < until_ns)


def _rows(action: Action, met: Sequence[Claim], known: Known, agents: Sequence[KnownAgent]) -> list[dict[str, Any]]:
    """One row per run that an action leads to, and per id in it that leads to none; one if it is an agent's alone."""
    agent, sign = agent_of(action, agents) or (None, None)
    shared = {
        "first_ns": action.at_ns,
        "system": action.system,
        "kind": action.kind,
        "object": action.id,
        "url": action.url,
        "title": action.title,
        "author": action.people[0] if action.people else None,
        "agent": agent,
        "sign": sign,
        "reviewed_by": list(action.reviewers) or None,
    }
    hows: dict[str, dict[str, str | None]] = {}
    for claim in met:
        hows.setdefault(claim.run_id, {})[claim.how] = None
    lost = []
    for how, named, run_id in known.of(action):
        if run_id is not None:
            hows.setdefault(run_id, {})[how] = named
        else:
            lost.append((how, named))
    rows = [_row_of_run(shared, run_id, told, met, known) for run_id, told in hows.items()]
    if "conversation" not in {how for told in hows.values() for how in told}:
        # A record that names its run and its conversation names one thing: what leads to it is enough.
        rows += [{**shared, "verdict": "unknown_run", "how": [how], "named": named} for how, named in _untold(lost)]
    if not rows and agent is not None:
        rows = [{**shared, "verdict": "no_run"}]
    return [{name: _sound(row.get(name)) for name in SCHEMA} for row in rows]


def _untold(lost: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The runs that lead nowhere; where none is named, the conversations."""
    return [each for each in lost if each[0] == "trailer"] or lost


def _sound(value: Any) -> Any:
    """Half a surrogate pair, which JSON can hold, is no text that a table can."""
    if isinstance(value, list):
        return [_sound(each) for each in value]
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _row_of_run(
    shared: dict[str, Any], run_id: str, told: dict[str, str | None], met: Sequence[Claim], known: Known
) -> dict[str, Any]:
    claim = next((claim for claim in met if claim.run_id == run_id), None)
    how = [name for name in ("receipt", "trailer", "conversation", "result") if name in told]
    return {
        **shared,
        "verdict": "run",
        "how": how,
        "basis": "explicit" if how[0] in ("receipt", "trailer") else "inferred",
        "named": next((named for named in told.values() if named is not None), None),
        "run_id": run_id,
        "agent_name": known.agent_of(run_id),
        **(_of_call(claim) if claim is not None else {}),
    }


def _of_call(claim: Claim) -> dict[str, Any]:
    return {
        "agent_name": claim.agent_name,
        "tool_name": claim.tool_name,
        "tool_call_id": claim.tool_call_id,
        "approved_by": claim.approved_by,
        "evidence": claim.evidence,
    }


def _missing(unmet: Iterable[Claim], place: Place, here: set[str], known: Known) -> tuple[list[Claim], int]:
    """The claims that should have been met here, and how many tell nothing of where they are."""
    found, unplaced = [], 0
    conversations = {known.conversation_of(run_id) for run_id in here} - {None}
    for claim in unmet:
        if claim.kind not in place.kinds or not place.is_whole or not _within(claim.first_ns, place):
            continue
        if not _is_in(claim.first_ns, place.begins_ns, place.ends_ns):
            continue
        if place.system is not None:
            is_here = True
        elif claim.project is not None:
            is_here = claim.project in place.projects
        else:
            is_here = claim.run_id in here or claim.conversation_id in conversations
            unplaced += not is_here
        if is_here:
            found.append(claim)
    return found, unplaced


def _verdict(claim: Claim, place: Place, stored: frozenset[str]) -> str:
    """Of what is not there. Commits are amended, rebased and squashed away as a matter of course, and branches deleted:
    only one that a receipt names, or that was pushed to a branch which is still here, should be there.
    """
    if claim.kind == "commit" and (
        claim.id in stored or (claim.how == "result" and claim.branch not in place.branches)
    ):
        return "unreachable"
    return "not_there"


def _row_of_claim(claim: Claim, verdict: str) -> dict[str, Any]:
    row = {
        "first_ns": claim.first_ns,
        "verdict": verdict,
        "how": [claim.how],
        "basis": "explicit" if claim.how == "receipt" else "inferred",
        "system": claim.system,
        "kind": claim.kind,
        "object": claim.id,
        "url": next((key for key in claim.keys if key.startswith(("https://", "http://"))), None),
        "run_id": claim.run_id,
        **_of_call(claim),
    }
    return {name: row.get(name) for name in SCHEMA}
