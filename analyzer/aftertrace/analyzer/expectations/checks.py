"""Expectations held against history: which calls and runs break which rule, and of which that cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer.expectations.argument_values import are_meant
from aftertrace.analyzer.expectations.patterns import fits
from aftertrace.analyzer.expectations.rules import ARGUMENTS, LIMITS, Limit, Rule
from aftertrace.analyzer.schemas.derived import DECIDERS, DERIVED, RAN_OUTCOMES

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.reading.select import Filter

FINDINGS: Final = pl.Schema(
    [
        ("rule", pl.String()),
        ("verdict", pl.String()),
        ("found", pl.String()),
        ("expected", pl.String()),
        ("agent_name", pl.String()),
        ("tool_name", pl.String()),
        ("tool_call_id", pl.String()),
        ("call_key", pl.String()),
        ("run_id", pl.String()),
        ("first_ns", pl.Int64()),
    ]
)
"""One row per call, or run, and rule: `broken`, or `unknown` where the telemetry does not tell: also whether the rule
is about it. Of a run the call is null."""
OF_CALLS: Final = (
    *("run_id", "call_key", "tool_call_id", "first_ns", "agent_name", "environment", "tool_name", "risk", "outcome"),
    *("arguments", "executed_arguments", "allowed_by", "decided_by", "granted_by", "approval", "reviewer"),
)
"""The columns of calls that rules look at."""
OF_RUNS: Final = (
    *("run_id", "first_ns", "agent_name", "environment", "input_tokens", "output_tokens"),
    *(column for column, *_ in LIMITS.values() if column != "tokens"),
)
"""The columns of runs that they look at."""
_APPROVED: Final = ("granted", "modified")
_UNITS: Final = {
    "most_calls": "calls",
    "most_near_misses": "near misses",
    "most_tokens": "tokens",
    "most_cost_usd": "USD",
    "most_duration_s": "s",
}
_EITHER: Final = "human_or_program"


@dataclass(frozen=True, slots=True)
class Checked:
    """A rule, and what it was held against."""

    rule: Rule
    calls: int
    """Calls that ran and that it is about for certain; 0 for a rule about runs alone."""
    runs: int
    """Runs that it is about for certain; 0 for a rule about calls alone."""
    broken: int
    """How many calls and runs break it."""
    unknown: int
    """Of how many it cannot be told."""
    findings: pl.DataFrame
    """Columns as in `FINDINGS`, by time: all, or the first of each verdict."""

    @property
    def state(self) -> str:
        """`broken`, `unknown`, `holds`, or `idle`: nothing in the store is what it is about."""
        if self.broken:
            return "broken"
        if self.unknown:
            return "unknown"
        return "holds" if self.calls or self.runs else "idle"


def checked(
    rules: Sequence[Rule], analysis: Analysis, wanted: Filter | None = None, *, most: int | None = None
) -> list[Checked]:
    """Each rule with what breaks it among the calls and runs that a filter lets through.

    Args:
        rules: as in the file.
        analysis: what is on record.
        wanted: the filter.
        most: as many findings of a rule and verdict are held; None: all. All are counted.
    """
    found = check(rules, *(pl.DataFrame(schema=DERIVED[name].schema) for name in ("calls", "runs")))
    for share in analysis.shares():
        calls, runs = share.collected(share.scan("calls", OF_CALLS, wanted), share.scan("runs", OF_RUNS, wanted))
        more = check(rules, calls, runs)
        found = [_together(one, other, most) for one, other in zip(found, more, strict=True)]
    return [replace(each, findings=_by_time(each.findings)) for each in found]


def check(rules: Sequence[Rule], calls: pl.DataFrame, runs: pl.DataFrame) -> list[Checked]:
    """Each rule with what breaks it among some calls and runs.

    Args:
        rules: as in the file.
        calls: columns as in `OF_CALLS`, of `schemas.CALLS`.
        runs: columns as in `OF_RUNS`, of `schemas.RUNS`.
    """
    return [_checked(rule, calls, runs) for rule in rules]


def _together(one: Checked, other: Checked, most: int | None) -> Checked:
    """A rule that was held against some runs, and against others."""
    findings = pl.concat([one.findings, other.findings])
    if most is not None and findings.height > most:
        findings = _by_time(findings).filter(pl.int_range(pl.len()).over("verdict") < most)
    sums = {name: getattr(one, name) + getattr(other, name) for name in ("calls", "runs", "broken", "unknown")}
    return replace(one, findings=findings, **sums)


def _by_time(findings: pl.DataFrame) -> pl.DataFrame:
    return findings.sort("first_ns", "run_id", "call_key", "verdict", maintain_order=True)


def _checked(rule: Rule, calls: pl.DataFrame, runs: pl.DataFrame) -> Checked:
    found = [pl.DataFrame(schema=FINDINGS)]
    asked = ran = 0
    if rule.approved_by is not None or rule.reviewers is not None or rule.only_tools is not None:
        mine = _about(rule, calls.filter(pl.col("outcome").is_in(RAN_OUTCOMES)))
        ran = _certain(mine)
        found += [_judged(rule, mine, by, told) for by, told in ((_BY_TOOL, _of_tool), (_BY_APPROVAL, _of_approval))]
    if rule.limits:
        mine = _about(rule, with_tokens(runs))
        asked = _certain(mine)
        for limit in rule.limits:
            column, unit, _ = LIMITS[limit.key]
            # Loosely: what is exact is told of each by itself.
            over = mine.filter(pl.col(column).is_null() | (pl.col(column) / unit > limit.most - abs(limit.most) * 1e-9))
            rows = [_finding(rule, run, *told) for run in over.iter_rows(named=True) if (told := _of_limit(limit, run))]
            found.append(pl.DataFrame(rows, schema=FINDINGS, orient="row"))
    findings = _by_time(pl.concat(found))
    broken = int((findings["verdict"] == "broken").sum())
    return Checked(rule, ran, asked, broken, findings.height - broken, findings)


_BY_TOOL: Final = ("tool_name", "untold")
_BY_APPROVAL: Final = ("allowed_by", "decided_by", "granted_by", "approval", "reviewer", "untold")


def _judged(
    rule: Rule,
    calls: pl.DataFrame,
    by: Sequence[str],
    told: Callable[[Rule, dict[str, Any]], tuple[str, str, str] | None],
) -> pl.DataFrame:
    """What is found of calls, judged by some of their columns: calls that are alike in them are judged once."""
    rows = [
        {**{name: alike[name] for name in by}, **{name: finding[name] for name in _OF_RULE}}
        for alike in calls.select(by).unique().iter_rows(named=True)
        if (verdict := told(rule, alike)) and (finding := _finding(rule, alike, *verdict))
    ]
    judged = pl.DataFrame(
        rows, schema={**{name: calls.schema[name] for name in by}, **dict.fromkeys(_OF_RULE, pl.String)}, orient="row"
    )
    found = calls.join(judged, on=list(by), how="inner", nulls_equal=True, maintain_order="left")
    return found.select(pl.col(name).cast(kind) for name, kind in FINDINGS.items())


_OF_RULE: Final = ("rule", "verdict", "found", "expected")


def _about(rule: Rule, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that a rule is about, or may be: `untold` says which of what it goes by they do not tell. `*` is
    everything, also what has no name.
    """
    chosen = {"agent_name": rule.agents, "environment": rule.environments, "tool_name": rule.tools, "risk": rule.risks}
    untold: list[pl.Expr] = [pl.lit("")]
    for column, patterns in chosen.items():
        if patterns and "*" not in patterns:
            fitting = [name for name in frame[column].unique() if fits(name, patterns)]
            missing = pl.col(column).is_null()
            frame = frame.filter(pl.col(column).is_in(fitting) | missing)
            untold.append(pl.when(missing).then(pl.lit(column.removesuffix("_name"))))
    if rule.arguments:
        frame = frame.with_columns(asked=pl.coalesce("executed_arguments", "arguments"))
        judged = {text: are_meant(text, rule.arguments) for text in frame["asked"].unique()}
        meant = pl.Series("meant", [judged[text] for text in frame["asked"]], dtype=pl.Boolean)
        frame = frame.with_columns(meant).filter(pl.col("meant").fill_null(value=True))
        untold.append(pl.when(pl.col("meant").is_null()).then(pl.lit(ARGUMENTS)))
    return frame.with_columns(untold=pl.concat_str(untold, separator=" ", ignore_nulls=True).str.strip_chars())


def _certain(mine: pl.DataFrame) -> int:
    return mine.filter(pl.col("untold") == "").height


def _of_tool(rule: Rule, call: dict[str, Any]) -> tuple[str, str, str] | None:
    if rule.only_tools is None or fits(call["tool_name"], rule.only_tools):
        return None
    expected = "one of " + (", ".join(rule.only_tools) or "no tools")
    if call["tool_name"] is None:
        return "unknown", "a tool whose name is not told", expected
    return "broken", f"tool {call['tool_name']} ran", expected


def _of_approval(rule: Rule, call: dict[str, Any]) -> tuple[str, str, str] | None:
    """Broken where something else let the call through; unknown where nothing tells what did, or who."""
    if rule.approved_by is None and rule.reviewers is None:
        return None
    by = f" by {' or '.join(rule.approved_by)}" if rule.approved_by else ""
    whose = f" of {' or '.join(rule.reviewers)}" if rule.reviewers else ""
    expected = f"an approval{by}{whose}"
    standing = call["allowed_by"] == "grant"
    if call["approval"] in ("rejected", "expired"):
        return "broken", f"its approval was {call['approval']}, and it ran", expected
    if standing and not rule.standing_grants:
        return "broken", "a standing grant let it through", expected
    if not standing and call["approval"] not in _APPROVED:
        if call["allowed_by"] is None and call["decided_by"] is None:
            return "unknown", "what let it through is not told", expected
        who = call["allowed_by"] or call["decided_by"]
        # Where a rule names reviewers alone, a person who let it through did approve it.
        if who == "mode" or call["decided_by"] not in (rule.approved_by or ("human", _EITHER)):
            return "broken", f"{who} let it through, and nobody was asked", expected
    decided_by = call["granted_by"] if standing else call["decided_by"]
    if rule.approved_by is not None and not standing and decided_by not in rule.approved_by:
        if decided_by is None or (decided_by == _EITHER and {"human", "program"} & set(rule.approved_by)):
            return "unknown", "it was approved, and by which of a person and a program is not told", expected
        return "broken", f"{decided_by} approved it", expected
    reviewer = call["granted_by"] if standing else call["reviewer"]
    if standing and reviewer in DECIDERS:
        # Of a grant whose giver is not named, the class is told.
        if rule.approved_by is not None and reviewer not in rule.approved_by:
            return "broken", f"{reviewer} gave the standing grant", expected
        reviewer = None
    if rule.reviewers is not None and not fits(reviewer, rule.reviewers):
        if reviewer is None:
            return "unknown", "it was approved, and by whom is not told", expected
        return "broken", f"{reviewer} approved it", expected
    return None


def _of_limit(limit: Limit, run: dict[str, Any]) -> tuple[str, str, str] | None:
    column, unit, _ = LIMITS[limit.key]
    name = _UNITS[limit.key]
    expected = f"at most {limit.most:,.10g} {name}"
    if run[column] is None:
        return "unknown", f"{name}: not told", expected
    found = run[column] / unit
    return ("broken", f"{found:,.10g} {name}", expected) if found > limit.most else None


def with_tokens(runs: pl.DataFrame) -> pl.DataFrame:
    """Runs with `tokens`, read and written; where one of both is not told, at least the other."""
    told = pl.col("input_tokens", "output_tokens")
    both = pl.when(pl.any_horizontal(told.is_not_null())).then(pl.sum_horizontal(told.fill_null(0)))
    return runs.with_columns(tokens=both)


def _finding(rule: Rule, row: dict[str, Any], verdict: str, found: str, expected: str) -> dict[str, Any]:
    told = {name: row.get(name) for name in FINDINGS}
    if row["untold"]:
        # Leaving a name out must not be a way around a rule, nor is it a breach of one that may be about others.
        missing = row["untold"].replace(" ", " and ")
        verdict, found = "unknown", f"{found}; whether the rule is about it is not told, for want of its {missing}"
    return {**told, "rule": rule.name, "verdict": verdict, "found": found, "expected": expected}
