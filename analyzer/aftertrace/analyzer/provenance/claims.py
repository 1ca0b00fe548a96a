"""Claims: what the runs of a store say they made elsewhere, and by what a system of record can be asked for it.

They are the effects that were applied. A receipt is `explicit`; where a call has none, what its result tells is the
fallback, and `inferred` (`result_effects`). Git's own line after a commit names no repository: that is told by where
the same run pushes to, if that is one place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer.reading.select import Filter

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

COMMIT_CHARACTERS: Final = 7
"""A shorter beginning names no commit."""
_COMMIT_AT: Final = re.compile(r"https?://([^\s\"'<>\\)]+)/(?:-/)?commits?/([0-9a-f]{7,64})(?![0-9a-f])")
_REFERENCE_AT: Final = re.compile(
    r"https?://([^\s\"'<>\\)]+?)/(?:-/)?(?:(pull|pulls|merge_requests)|(issues))/(\d{1,10})(?!\d)"
)
_SHORT: Final = re.compile(r"([\w.-]+(?:/[\w.-]+)+)[#!](\d{1,10})")
_LETTING: Final = ("call_key", "allowed_by", "reviewer", "granted_by")
_ABOUT_ANOTHER: Final = ("comment", "review")
"""What stands at the address of a pull request or an issue, and is not it."""
_DIGITS: Final = re.compile(r"(?:sha1:|git:)?([0-9a-f]{7,64})")
_ADDRESS: Final = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^@/\s]+@)?[^/\s]+/|(?:[^@/\s]+@)?[^/:\s]{2,}:(?!/))(?P<path>\S+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a run made something."""

    kind: str
    """`commit`, `pull_request`, `issue` or `object`."""
    id: str
    """A commit's digits, or the beginning of them; `owner/name#12`; an object's id."""
    keys: tuple[str, ...]
    """All that it can be found by: `id`, addresses, the receipt's id."""
    project: str | None
    """`owner/name` where it is told, in lower case."""
    system: str | None
    how: str
    """`receipt` or `result`."""
    branch: str | None
    """Branch that it was pushed to; a commit that only a result tells may be amended before it is."""
    run_id: str
    conversation_id: str | None
    tool_name: str | None
    tool_call_id: str | None
    agent_name: str | None
    approved_by: str | None
    """Who or what let the call run; None is not told."""
    first_ns: int | None
    evidence: str | None


def claims(analysis: Analysis, filter: Filter | None = None) -> list[Claim]:  # noqa: A002  # the word users know
    """What the runs that a filter lets through say they made, the earliest first; each thing once per run and way."""
    wanted = filter or Filter()
    applied = (
        analysis.select("effects", wanted).filter(pl.col("state") == "applied").sort("first_ns", "run_id", "object_id")
    )
    calls = analysis.calls.join(applied.select("call_key"), on="call_key", how="semi")
    let_by = {row["call_key"]: _let_by(row) for row in calls.select(_LETTING).iter_rows(named=True)}
    rows = applied.to_dicts()
    pushed = _pushed(rows)
    found = [claim for row in rows if (claim := _claim(row, pushed, let_by.get(row["call_key"]))) is not None]
    told = {(claim.run_id, claim.how, claim.kind, claim.id, claim.branch): claim for claim in reversed(found)}
    return list(told.values())[::-1]


def project_of(address: str) -> str | None:
    """`owner/name` of a repository's address, in lower case: `git@host:owner/name.git`, `https://host/owner/name`; None
    for a folder.
    """
    found = _ADDRESS.fullmatch(address.strip().removesuffix("/").removesuffix(".git"))
    parts = [part for part in re.split(r"[/:]", found["path"]) if part] if found else []
    return "/".join(parts[-2:]).lower() if len(parts) > 1 else None


def _let_by(call: dict[str, Any]) -> str | None:
    told = (call["allowed_by"], call["reviewer"] or call["granted_by"])
    return " ".join(part for part in told if part) or None


def _pushed(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    """By run, the repositories that it pushed to."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if _is_push(row) and (project := project_of(row["object_id"].partition(" ")[0])) is not None:
            found.setdefault(row["run_id"], set()).add(project)
    return found


def _is_push(row: dict[str, Any]) -> bool:
    return row["object_type"] in ("branch", "tag") and row["object_id"] is not None


def _claim(row: dict[str, Any], pushed: dict[str, set[str]], approved_by: str | None) -> Claim | None:
    """What an effect claims; None where it names no object."""
    keys = tuple(row[name] for name in ("object_id", "object_url", "receipt_id") if row[name])
    if not keys:
        return None
    if _is_push(row):
        # What was pushed is there as a commit; the branch may be gone since.
        if row["receipt_id"] is None or _DIGITS.fullmatch(row["receipt_id"]) is None:
            return None
        kind, ident, project = "commit", row["receipt_id"], project_of(row["object_id"].partition(" ")[0])
    else:
        kind, ident, project = _named(keys, row)
    if kind == "commit" and project is None and len(pushed.get(row["run_id"], ())) == 1:
        (project,) = pushed[row["run_id"]]
    return Claim(
        kind=kind,
        id=ident,
        keys=keys,
        project=project,
        system=row["system"],
        branch=row["object_id"].partition(" ")[2] or None if _is_push(row) else None,
        how="receipt" if row["basis"] == "explicit" else "result",
        run_id=row["run_id"],
        conversation_id=row["conversation_id"],
        tool_name=row["tool_name"],
        tool_call_id=row["tool_call_id"],
        agent_name=row["agent_name"],
        approved_by=approved_by,
        first_ns=row["first_ns"],
        evidence=row["evidence"],
    )


def _named(keys: tuple[str, ...], row: dict[str, Any]) -> tuple[str, str, str | None]:
    """What an effect names: kind, id and project."""
    if row["object_type"] in _ABOUT_ANOTHER:
        return "object", keys[0], None
    for key in keys:
        if found := _COMMIT_AT.match(key):
            return "commit", found[2], _last(found[1])
        if found := _REFERENCE_AT.match(key):
            project = _last(found[1])
            return ("pull_request" if found[2] else "issue"), f"{project}#{found[4]}", project
        if found := _SHORT.fullmatch(key):
            kind = "issue" if "issue" in (row["object_type"] or "") else "pull_request"
            return kind, f"{_last(found[1])}#{found[2]}", _last(found[1])
    is_commit = "commit" in (row["object_type"] or "").lower() or (row["system"] or "").lower() == "git"
    if is_commit and (found := _DIGITS.fullmatch(keys[0].rpartition("@")[2].lower())):
        return "commit", found[1], _last(keys[0].rpartition("@")[0])
    return "object", keys[0], None


def _last(path: str) -> str | None:
    """`owner/name`: the last two parts."""
    parts = [part for part in path.lower().split("/") if part]
    return "/".join(parts[-2:]) if len(parts) > 1 else None
