"""The tables of a run record: approvals, effects, timeline, inputs and configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.documents.document import Code, Fact, Facts, Lanes, Line, Paragraph, Part, Points, Stay, Table
from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.records.record_words import UNTOLD, answered, clock, target
from aftertrace.analyzer.records.version_words import (
    CONFIGURATION_UNTOLD,
    OTHERS_UNREAD,
    ago,
    between_versions,
    changed_part,
    in_force,
    sides,
)

if TYPE_CHECKING:
    from aftertrace.analyzer.records.call_record import Effect, Reference
    from aftertrace.analyzer.records.run_record import Moment, RunRecord

SHOWN_MOMENTS: Final = 200
_SHOWN: Final = 50
_BEGINNING: Final = 600
_DETAIL: Final = 160
_ON_ONE_LINE: Final = frozenset(("asked", "at", "lane", "digest", "evidence"))
_TIMED: Final = frozenset(("asked", "at"))
_LANES: Final = ("agent", "model", "tool", "human", "control")


def approvals(record: RunRecord) -> tuple[Part, ...]:
    """Who was asked what, and answered what; nothing where nobody was asked."""
    asked = [(call, call.approval) for call in record.calls if call.approval is not None]
    if not asked:
        return ()
    rows = tuple(
        (
            clock(approval.asked_at, record.started_at) or UNTOLD,
            f"{call.number} · {call.tool or UNTOLD}",
            answered(approval),
            approval.reason or "",
            ", ".join(name.replace("_", " ") for name in approval.signals),
        )
        for call, approval in asked[:_SHOWN]
    )
    table = Table(("asked", "call", "answer", "reason given", "odd"), rows, _left(len(asked)), _ON_ONE_LINE, _TIMED)
    return (Part("Approvals", (table,)),)


def effects(record: RunRecord) -> Part:
    """What changed, by receipts, and as results tell."""
    if not record.effects:
        nothing = "No receipt is on record, and no result tells of a change. That does not say that nothing changed."
        return Part("Effects", (Paragraph(nothing),))
    rows = tuple(
        (
            clock(each.at, record.started_at) or UNTOLD,
            each.state if each.basis == "explicit" else f"{each.state} (inferred)",
            " ".join(filter(None, (each.operation, target(each), _measured(each)))),
            each.object_url or "",
            each.receipt_id or "",
            "none on record" if each.call is None else str(each.call),
            ", ".join(name.replace("_", " ") for name in each.signals),
            (Code(each.evidence),),
        )
        for each in record.effects[:_SHOWN]
    )
    columns = ("at", "state", "what", "where", "receipt", "call", "signals", "evidence")
    return Part("Effects", (Table(columns, rows, _left(len(record.effects)), _ON_ONE_LINE, _TIMED),))


def _measured(effect: Effect) -> str:
    """What a result counts."""
    rows = "" if effect.rows is None else f"({effect.rows:,} rows)"
    return rows if effect.http_status is None else f"(status {effect.http_status})"


def timeline(record: RunRecord) -> Part:
    """Everything in order: drawn, and as a table."""
    timed = [each for each in record.timeline if each.offset_s is not None]
    stays = tuple(
        Stay(each.lane, each.offset_s or 0.0, each.lasted_s or 0.0, " ".join(filter(None, (each.what, each.tool))))
        for each in timed
        if each.lane in _LANES
    )
    rows: tuple[tuple[Line, ...], ...] = tuple(
        (
            clock(each.at, record.started_at) or "–",
            each.lane,
            each.what,
            each.tool or "",
            each.decided_by or "",
            _sure(each),
            (each.detail or "")[:_DETAIL],
            (Code(each.evidence),),
        )
        for each in record.timeline[:SHOWN_MOMENTS]
    )
    left = len(record.timeline) - len(rows)
    more: Line = (f"{left:,} more: ", Code(f"aftertrace run {record.run_id} --timeline")) if left else ""
    columns = ("at", "lane", "what", "tool", "decided by", "order", "detail", "evidence")
    table = Table(columns, rows, more, _ON_ONE_LINE, _TIMED)
    return Part("Timeline", (Lanes(_LANES, stays), table))


def _sure(moment: Moment) -> str:
    """What is not known of the place of an entry."""
    if moment.behind_s is not None:
        return f"its clock is behind by {length(moment.behind_s)} at least"
    return "not known" if moment.order == "unsure" else ""


def inputs(record: RunRecord) -> tuple[Part, ...]:
    """What it rests on, its plans and its last answer, by reference; nothing where none is told."""
    told: list[tuple[str, str | None, Reference]] = [
        (each.kind.replace("_", " "), each.id, each.text) for each in record.inputs
    ]
    told += [
        (f"plan, revision {UNTOLD if each.revision is None else each.revision}", each.id, each.text)
        for each in record.plans
    ]
    told += [("system prompt", None, each) for each in record.configuration.system_prompts]
    told += [("last answer of the model", None, each.text) for each in record.outputs if each.call is None]
    if not told:
        return ()
    rows = tuple(
        (
            kind,
            named or "",
            (text.begins or "not sent as text: see the record")[:_BEGINNING],
            (Code((text.digest or UNTOLD)[:19]),),
            (Code(text.evidence),),
        )
        for kind, named, text in told[:_SHOWN]
    )
    table = Table(("kind", "id", "begins", "digest", "evidence"), rows, _left(len(told)), _ON_ONE_LINE)
    return (Part("Inputs, plans and outputs", (table,)),)


def configuration(record: RunRecord) -> Part:
    """What it was made of, and its agents where there are several."""
    made, tools = record.configuration, record.tools
    told = {
        "Model asked": ", ".join(made.models_asked),
        "Model that answered": ", ".join(made.models_served),
        "System prompt": made.system_prompt_digest,
        "Prompt template": made.prompt_template,
        "Tool list": made.tools_digest,
        "Tools available": None if tools.available is None else ", ".join(tools.available) or "none",
        "Tools of which a call ran": ", ".join(tools.called) or "none on record",
        "Tools of which a call was rejected": ", ".join(tools.rejected) or "none on record",
        "Policies": "; ".join(" ".join(filter(None, (each.id, each.version))) for each in made.policies),
        "Permission modes": ", ".join(made.permission_modes),
    }
    facts = Facts(tuple(Fact(name, value or UNTOLD) for name, value in told.items()), small=True)
    if len(record.agents) < 2:
        return Part("Configuration", (facts,))
    rows = tuple(
        ("· " * each.depth + each.name, each.how.replace("_", " "), each.by_tool or "", each.model or UNTOLD,
         f"{each.calls:,}")
        for each in record.agents[:_SHOWN]
    )  # fmt: skip
    table = Table(("agent", "set to work", "by", "model", "calls:"), rows, _left(len(record.agents)))
    return Part("Configuration", (facts, table))


def changed_before(record: RunRecord) -> Part:
    """What had been changed in its agents just before it began, the nearest first, and how to go on."""
    title, more = "What had been changed just before", Code(f"aftertrace changes --run {record.run_id}")
    if record.versions is None:
        return Part(title, (Paragraph((OTHERS_UNREAD, " ", more, " tells.")),))
    told = [(each, change) for each in record.versions for change in each.changes]
    if not record.versions:
        return Part(title, (Paragraph(f"{CONFIGURATION_UNTOLD}."),))
    heads = Points(tuple(in_force(each) for each in record.versions[:_SHOWN]))
    if not told:
        return Part(title, (heads, Paragraph("Nothing is known to have been changed before it.")))
    rows: tuple[tuple[Line, ...], ...] = tuple(
        (
            ago(change),
            each.agent or UNTOLD,
            changed_part(change),
            between_versions(change),
            " · ".join(sides(change)),
            (Code(change.first_run),),
            (Code(f"aftertrace changes --diff {change.id[:8]}"),),
        )
        for each, change in told[:_SHOWN]
    )
    columns = ("before it", "agent", "changed", "version", "what", "first run with it", "the whole of it")
    table = Table(columns, rows, _left(len(told)), _ON_ONE_LINE)
    return Part(title, (heads, table, Paragraph(("What moved after each: ", more))))


def _left(rows: int) -> str:
    return f"{rows - _SHOWN:,} more" if rows > _SHOWN else ""
