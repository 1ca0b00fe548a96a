"""The run record of one run of an analysis: what tables, answers and timeline tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.records.call_record import Call, Reference
from aftertrace.analyzer.records.recorded_calls import recorded_calls, recorded_effects
from aftertrace.analyzer.records.recorded_findings import recorded_findings
from aftertrace.analyzer.records.recorded_inputs import (
    recorded_inputs,
    recorded_plans,
    recorded_policies,
    system_prompts,
)
from aftertrace.analyzer.records.recorded_senders import credentials
from aftertrace.analyzer.records.recorded_versions import recorded_versions
from aftertrace.analyzer.records.rfc3339 import rfc3339
from aftertrace.analyzer.records.run_record import (
    FORMAT,
    Agent,
    Configuration,
    Moment,
    Output,
    RunRecord,
    Tools,
    Trigger,
    Usage,
)
from aftertrace.analyzer.schemas.derived import NEAR_MISS_OUTCOMES, RAN_OUTCOMES
from aftertrace.analyzer.schemas.untimed import ORDER_ONLY_NS
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

_NOT_OVER: Final = ("open", "waiting")


def record(analysis: Analysis, run_id: str) -> RunRecord:
    """The run record of a run. Raises `Invalid` when there is no such run."""
    only = Filter(run_id=run_id)
    found = analysis.select("runs", only)
    if not found.height:
        raise Invalid(f"run {run_id!r}: not found; `aftertrace runs` lists them")
    row = found.row(0, named=True)
    identified = analysis.of(run_id).identified
    spans, events = (rows.filter(pl.col("run_id") == run_id) for rows in (identified.spans, identified.events))
    calls, effects = recorded_calls(analysis, run_id), recorded_effects(analysis, run_id)
    answers = analysis.answers(run_id)
    began_ns = row["first_ns"]
    return RunRecord(
        format=FORMAT,
        as_of=rfc3339(analysis.now_ns) or "",
        run_id=run_id,
        started_at=rfc3339(began_ns),
        ended_at=rfc3339(row["last_ns"]),
        duration_s=_seconds(row["duration_ns"]),
        trigger=Trigger(row["trigger"], row["trigger_id"], row["parent_run_key"]),
        agents=tuple(_agent(each) for each in analysis.select("agents", only).iter_rows(named=True)),
        configuration=_configuration(row, calls, spans, events),
        versions=recorded_versions(analysis, run_id),
        tools=_tools(row, calls),
        inputs=recorded_inputs(events),
        plans=recorded_plans(events),
        calls=calls,
        effects=effects,
        outputs=tuple(_outputs(calls, spans, events)),
        usage=Usage(row["input_tokens"], row["output_tokens"], _finite(row["cost_usd"])),
        answers=answers.six,
        more_answers=answers.more,
        findings=recorded_findings(analysis, row, calls, effects),
        timeline=tuple(_moment(each, began_ns) for each in analysis.timeline(run_id).iter_rows(named=True)),
        missing=row["missing"] if row["missing"] or row["state"] not in _NOT_OVER else None,
        run_keys=tuple(row["run_keys"] or ()),
        traces=tuple(row["traces"] or ()),
        dialects=tuple(row["dialects"] or ()),
        credentials=credentials(analysis.tables, spans, events),
        **{
            name: row[name]
            for name in (
                "state", "state_basis", "user_id", "tenant", "source", "environment", "workflow", "service_name",
                "service_version", "agent_name", "conversation_id", "records",
            )
        },
    )  # fmt: skip


def _agent(row: dict[str, Any]) -> Agent:
    return Agent(
        name=row["agent_name"],
        id=row["agent_id"],
        version=row["agent_version"],
        parent=row["parent_name"],
        by_tool=row["delegated_by_tool"],
        **{
            name: row[name]
            for name in ("depth", "how", "model", "model_served", "system_prompt_digest", "tools_digest", "calls")
        },
    )


def _configuration(
    row: dict[str, Any], calls: tuple[Call, ...], spans: pl.DataFrame, events: pl.DataFrame
) -> Configuration:
    return Configuration(
        agent_version=row["agent_version"],
        models_asked=_named("model", spans, events),
        models_served=_named("model_served", spans, events),
        system_prompts=system_prompts(events),
        system_prompt_digest=row["system_prompt_digest"],
        prompt_template=_template(spans),
        tools_digest=row["tools_digest"],
        policies=recorded_policies(events),
        permission_modes=tuple(dict.fromkeys(call.permission_mode for call in calls if call.permission_mode)),
    )


def _named(column: str, *frames: pl.DataFrame) -> tuple[str, ...]:
    return tuple(pl.concat([frame[column] for frame in frames]).drop_nulls().unique().sort().to_list())


def _template(spans: pl.DataFrame) -> str | None:
    """Name and version of the prompt template that the first span with one tells."""
    told = spans.filter(pl.col("attributes").str.contains('"gen_ai.prompt.name":', literal=True)).select(
        pl.concat_str(
            (pl.col("attributes").str.json_path_match(f"$['gen_ai.prompt.{part}']") for part in ("name", "version")),
            separator=" ",
            ignore_nulls=True,
        )
    )
    return str(told.item(0, 0)) if told.height else None


def _tools(row: dict[str, Any], calls: tuple[Call, ...]) -> Tools:
    def of(outcomes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({call.tool for call in calls if call.tool and call.outcome in outcomes}))

    available = row["tools_available"]
    return Tools(None if available is None else tuple(available), of(RAN_OUTCOMES), of(NEAR_MISS_OUTCOMES))


def _outputs(calls: tuple[Call, ...], spans: pl.DataFrame, events: pl.DataFrame) -> Iterator[Output]:
    for call in calls:
        if call.result is not None and call.outcome in RAN_OUTCOMES:
            yield Output("tool_result", call.number, call.ended_at, call.result)
    model_calls = pl.concat(
        [
            spans.filter(pl.col("operation") == "chat").select("pointer", at_ns="end_ns"),
            events.filter(pl.col("event") == "model.called").select("pointer", at_ns="time_ns"),
        ]
    ).sort("at_ns", "pointer")
    if model_calls.height:
        at_ns, pointer = model_calls.row(-1, named=True)["at_ns"], model_calls.row(-1, named=True)["pointer"]
        yield Output("model_answer", None, rfc3339(_real(at_ns)), Reference(None, None, pointer))


def _moment(row: dict[str, Any], began_ns: int | None) -> Moment:
    at_ns, end_ns = _real(row["time_ns"]), _real(row["end_ns"])
    told = ("lane", "what", "decided_by", "detail", "evidence", "order", "behind_of")
    lasted = end_ns - at_ns if at_ns is not None and end_ns is not None and end_ns > at_ns else None
    return Moment(
        at=rfc3339(at_ns),
        offset_s=_seconds(None if at_ns is None or began_ns is None else at_ns - began_ns),
        lasted_s=_seconds(lasted),
        tool=row["tool_name"],
        call_id=row["tool_call_id"],
        behind_s=_seconds(row["behind_ns"]),
        service=row["service_name"],
        **{name: row[name] for name in told},
    )


def _real(time_ns: int | None) -> int | None:
    """A time; None where it only orders, or is not known."""
    return time_ns if time_ns is not None and time_ns >= ORDER_ONLY_NS else None


def _finite(number: float | None) -> float | None:
    """A number that is one: a sender may write NaN."""
    return number if number is not None and isfinite(number) else None


def _seconds(length_ns: int | None) -> float | None:
    return None if length_ns is None else length_ns / 1e9
