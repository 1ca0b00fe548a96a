"""What calls and runs are told by, when some are held against others: one row per row and value.

What was made of a call afterwards, such as its outcome, is an attribute as well: it is left out where it chooses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import polars as pl

from aftertrace.analyzer.populations.argument_attributes import ARGUMENT_ATTRIBUTES
from aftertrace.analyzer.statistics.lift_sums import KEYS, KNOWN, TOLD, Telling
from aftertrace.semconv.wording import split

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

Kind: TypeAlias = Literal["calls", "runs"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that a call or a run is told by."""

    name: str
    brief: str
    of: tuple[Kind, ...]
    """Whether calls, runs or both are told by it."""
    chosen_by: tuple[str, ...] = ()
    """Fields of a filter that choose by it, or by what is told by it as well: then it says nothing."""


_OUTCOME: Final = ("outcome", "decided_by", "reviewer")
_CALLS: Final[tuple[Kind, ...]] = ("calls",)
_RUNS: Final[tuple[Kind, ...]] = ("runs",)
_BOTH: Final[tuple[Kind, ...]] = ("calls", "runs")
_AIMED: Final = ("target", "namespace")
ATTRIBUTES: Final = (
    Attribute("tool", "tool; of a run, each that it called", _BOTH, ("tool", "risk")),
    Attribute("tool_offered", "tool that the model could call", _RUNS),
    Attribute("agent", "agent", _BOTH, ("agent",)),
    *(Attribute(name, brief, _CALLS, _AIMED) for name, brief in ARGUMENT_ATTRIBUTES.items()),
    Attribute("risk", "risk class of the tool", _CALLS, ("tool", "risk")),
    Attribute("agent_version", "agent version", _BOTH),
    Attribute("model", "model asked", _BOTH, ("model",)),
    Attribute("model_served", "model that answered", _BOTH),
    Attribute("prompt", "digest of the system prompt without what differs from run to run", _BOTH),
    Attribute(
        "configuration", "version of the agent, as `aftertrace configurations` lists it; within that agent", _BOTH
    ),
    Attribute("policy", "policy asked or in force in the run", _BOTH, ("policy",)),
    Attribute("permission_mode", "permission mode in force", _CALLS),
    Attribute("asked", "whether somebody was asked about it, as far as told", _CALLS, _OUTCOME),
    Attribute("decided_by", "class of who decided", _CALLS, _OUTCOME),
    Attribute("approver", "who decided, as named", _CALLS, ("reviewer",)),
    Attribute("outcome", "what became of it", _CALLS, _OUTCOME),
    Attribute("allowed_by", "what let it through", _CALLS, _OUTCOME),
    Attribute("reason", "reason or error, without its dates, numbers, paths and ids", _CALLS, _OUTCOME),
    Attribute("signal", "where a control failed, or what is odd", _BOTH, _OUTCOME),
    Attribute("state", "state of the run", _RUNS, ("state",)),
    Attribute("input", "start of the first user input of the run", _BOTH),
    Attribute("principal", "user or principal that the run acted for", _BOTH, ("principal",)),
    Attribute("trigger", "what set the run off", _BOTH),
    Attribute("workflow", "workflow", _BOTH),
    Attribute("environment", "deployment environment", _BOTH, ("environment",)),
    Attribute("tenant", "tenant", _BOTH, ("tenant",)),
    Attribute("source", "who sent it, as authenticated", _BOTH, ("tenant",)),
    Attribute("service", "service that reported it", _BOTH),
    Attribute("service_version", "version of the service", _BOTH),
    Attribute("emitter", "dialect that read it", _CALLS),
    Attribute("day", "day on which it began, UTC", _BOTH, ("since_ns", "until_ns")),
    Attribute("hour", "hour of the day at which it began, UTC", _BOTH),
)
"""In the order in which they name a set of rows that several tell."""
_OF_CALLS: Final = {
    "tool": pl.col("tool_name"),
    "agent": pl.col("agent_name"),
    "risk": pl.col("risk"),
    "agent_version": pl.col("agent_version"),
    "model": pl.col("model"),
    "model_served": pl.col("model_served"),
    "permission_mode": pl.col("permission_mode"),
    "asked": pl.when("approval_asked").then(pl.lit("yes")).otherwise(pl.lit("no")),
    "decided_by": pl.col("decided_by"),
    "approver": pl.col("reviewer"),
    "outcome": pl.col("outcome"),
    "allowed_by": pl.col("allowed_by"),
    "signal": pl.col("signals"),
    "environment": pl.col("environment"),
    "tenant": pl.col("tenant"),
    "source": pl.col("source"),
    "service": pl.col("service_name"),
    "emitter": pl.col("dialect"),
}
_OF_RUNS: Final = {
    "tool": pl.col("tools"),
    "tool_offered": pl.col("tools_available"),
    "agent": pl.col("agent_name"),
    "agent_version": pl.col("agent_version"),
    "model": pl.col("model"),
    "model_served": pl.col("model_served"),
    "signal": pl.col("signals"),
    "state": pl.col("state"),
    "environment": pl.col("environment"),
    "tenant": pl.col("tenant"),
    "source": pl.col("source"),
    "service": pl.col("service_name"),
}
_OF_THEIR_RUN: Final = {
    "policy": pl.col("policies"),
    "input": pl.col("prompt"),
    "principal": pl.col("user_id"),
    "trigger": pl.col("trigger"),
    "workflow": pl.col("workflow"),
    "service_version": pl.col("service_version"),
}
"""What a run tells of itself and of its calls."""
COLUMNS: Final[dict[Kind, frozenset[str]]] = {
    "calls": frozenset(("run_id", "call_key", "first_ns", "agent_name", "arguments", "reason", "outcome")).union(
        *(each.meta.root_names() for each in _OF_CALLS.values())
    ),
    "runs": frozenset(("run_id", "first_ns", "agent_name")).union(
        *(each.meta.root_names() for each in (*_OF_RUNS.values(), *_OF_THEIR_RUN.values()))
    ),
}
"""The columns of calls and of runs that are looked at."""
_REASON_CHARACTERS: Final = 200
UNNAMED: Final = "an agent without a name"


@dataclass(frozen=True, slots=True)
class Told:
    """What rows tell."""

    columns: pl.DataFrame
    """`row`, `is_chosen`, `agent_name`, and a column for each attribute but those of arguments; null is not told."""
    count_untold: bool
    """Whether what is not told counts as a value, which is null."""

    def tellings(self, left_out: Collection[str]) -> Iterator[Telling]:
        """What they tell but by their arguments, some attributes after the others, but for those that are left out."""
        for name in self.columns.columns:
            if name not in left_out and name not in _NO_ATTRIBUTES:
                yield self._telling(name)

    def sides(self) -> dict[str, set[bool]]:
        """By attribute the sides, chosen or not, that tell it of any row."""
        return {
            name: set(self.columns.drop_nulls(name)["is_chosen"].unique())
            for name in self.columns.columns
            if name not in _NO_ATTRIBUTES
        }

    def _telling(self, name: str) -> Telling:
        own = self.columns.select("row", "agent_name", value=name)
        told = own if self.count_untold else own.drop_nulls("value")
        is_list = told.schema["value"] == pl.List
        each = told.explode("value", empty_as_null=False, keep_nulls=True) if is_list else told
        each = _scoped(each, name).with_columns(pl.col("value").cast(pl.String))
        # The scope is told by these.
        differing = ["within", "value"] if name == "configuration" else ["value"]
        keys = each.select("scope", "within", "value").unique(differing).with_row_index("key")
        numbered = each.join(keys, on=differing, nulls_equal=True).select("row", "key")
        return Telling(
            (numbered.unique() if is_list else numbered).cast(TOLD),
            keys.with_columns(attribute=pl.lit(name), argument=pl.lit(None)).select(KEYS.names()).cast(KEYS),
            _scoped(told, name).select(KNOWN.names()).cast(KNOWN),
        )


_NO_ATTRIBUTES: Final = ("row", "is_chosen", "agent_name")


def told_of(analysis: Analysis, of: Kind, rows: pl.DataFrame, *, count_untold: bool = False) -> Told:
    """What calls or runs tell, but by arguments.

    Args:
        analysis: where they are from.
        of: what they are.
        rows: rows of that table, with their number as `row`, and `is_chosen`.
        count_untold: whether what is not told counts as a value.
    """
    told = _of_a_run(analysis, rows) if of == "runs" else _of_a_call(analysis, rows)
    columns = pl.concat([rows.select(_NO_ATTRIBUTES), *told], how="horizontal")
    return Told(columns, count_untold)


def _scoped(each: pl.DataFrame, name: str) -> pl.DataFrame:
    """With `within` and `scope`: among all rows that tell it, versions among those of their agent."""
    if name != "configuration":
        return each.with_columns(within=pl.lit(None), scope=pl.lit(name))
    mine = each.with_columns(within=pl.col("agent_name").fill_null(UNNAMED))
    return mine.with_columns(scope=pl.concat_str(pl.lit(f"{name}\x1f"), "within"))


def _of_a_call(analysis: Analysis, calls: pl.DataFrame) -> list[pl.DataFrame]:
    names = {name for each in _OF_THEIR_RUN.values() for name in each.meta.root_names()}
    runs = analysis.columns("runs", ("run_id", *sorted(names))).select("run_id", **_OF_THEIR_RUN)
    of_run = calls.select("run_id").join(runs, on="run_id", how="left", maintain_order="left").drop("run_id")
    reason = calls["reason"].map_elements(_wording, return_dtype=pl.String)
    return [calls.select(**_OF_CALLS, **_times(), reason=reason), of_run, _configured(analysis, calls)]


def _of_a_run(analysis: Analysis, runs: pl.DataFrame) -> list[pl.DataFrame]:
    return [runs.select(**_OF_RUNS, **_OF_THEIR_RUN, **_times()), _configured(analysis, runs)]


def _times() -> dict[str, pl.Expr]:
    at = pl.from_epoch(pl.when(pl.col("first_ns") > 0).then(pl.col("first_ns")), time_unit="ns")
    return {"day": at.dt.strftime("%Y-%m-%d"), "hour": at.dt.strftime("%H")}


def _configured(analysis: Analysis, rows: pl.DataFrame) -> pl.DataFrame:
    """The template of the system prompt and the version, of the run and agent of each row."""
    made = (
        analysis.versioned.join(rows, on="run_id", how="semi", maintain_order="left")
        .select(
            "run_id",
            "agent_name",
            prompt=pl.concat_str(pl.lit("sha256:"), pl.col("prompt").str.slice(0, 12)),
            configuration=pl.concat_str(pl.lit("version "), "version"),
        )
        .unique(["run_id", "agent_name"], keep="first", maintain_order=True)
    )
    on = ["run_id", "agent_name"]
    return rows.select(on).join(made, on=on, how="left", nulls_equal=True, maintain_order="left").drop(on)


def _wording(reason: str) -> str:
    return split(reason[:_REASON_CHARACTERS]).rendered(frozenset())
