"""What the page of one run says, as blocks for `drawings`: answers, what was said and done, related runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.documents.document import Block, Card, Cards, Code, Excerpt, Line, Mark, Paragraph, Table, Tone
from aftertrace.analyzer.records import record_words
from aftertrace.analyzer.records.answers import Answer
from aftertrace.analyzer.records.run_record import RunRecord
from aftertrace.dashboards.addresses import run_address
from aftertrace.dashboards.blocks import Drawn, drawn
from aftertrace.dashboards.quantities import UNKNOWN, count, instant

_TONES: Final[Mapping[str, Tone]] = {"known": "good", "partial": "high", "unknown": "critical"}
_NEVER: Final = "does not tell this"
TURNS_AT_MOST: Final = 200
"""What was said and done in one run, shown at once; the record has all of it."""
_ROWS: Final = 50


def addresses(record: RunRecord, kept: Mapping[str, str]) -> dict[str, str]:
    """Where the ids of other runs in the blocks of a record lead to, by what stands there."""
    others = {other for finding in record.findings for other in finding.other_runs}
    others |= {change.first_run for version in record.versions or () for change in version.changes}
    others.discard(record.run_id)
    told = {}
    for other in others:
        told[other] = told[f"aftertrace run {other}"] = run_address(other, kept)
    return told


def answers(record: RunRecord) -> list[Drawn]:
    """The answers as small cards: what is known, how sure that is, what it rests on, and what would tell more."""
    return [
        {"is": "cards", "small": True, "cards": [_answer(each) for each in given]}
        for given in (record.answers, record.more_answers)
    ]


def _answer(given: Answer) -> Drawn:
    blocks = drawn([Paragraph(given.value or "The telemetry does not say.")])
    if given.switch_on:
        told: Line = given.switch_on if given.switch_on.endswith(_NEVER) else ("Switch on: ", Code(given.switch_on))
        blocks += drawn([Paragraph(told)])
    if given.evidence:
        places = drawn([Paragraph((Code(", ".join(given.evidence)),))])
        blocks.append({"is": "folded", "title": f"evidence: {count(len(given.evidence), 'record')}", "blocks": places})
    tone = _TONES[given.state]
    return {
        "title": record_words.QUESTIONS.get(given.question, given.question),
        "marks": [{"word": given.state, "tone": tone}],
        "blocks": blocks,
        "tone": "low" if given.state == "unknown" else "plain",
    }


def agents(record: RunRecord) -> list[Block]:
    """The agents of a run, each below the one that set it to work."""
    if not record.agents:
        return [Paragraph("No record names an agent.")]
    rows = tuple(
        (
            "  " * each.depth + ("└ " if each.depth else "") + each.name,
            each.how.replace("_", " "),
            each.by_tool or "",
            each.version or "",
            each.model or record_words.UNTOLD,
            (Code(each.system_prompt_digest[:19]),) if each.system_prompt_digest else record_words.UNTOLD,
            f"{each.calls:,}",
        )
        for each in record.agents[:_ROWS]
    )
    more = f"{len(record.agents) - _ROWS:,} more" if len(record.agents) > _ROWS else ""
    return [Table(("agent", "set to work", "by tool", "version", "model", "system prompt", "calls:"), rows, more)]


def conversation(record: RunRecord) -> list[Block]:
    """What was said and done, in order: inputs, plans, calls with what came back, the last answer."""
    turns = sorted(_turns(record), key=lambda turn: (turn[0] is None, turn[0] or "", turn[1]))
    cards = tuple(card for _, _, card in turns[:TURNS_AT_MOST])
    if not cards:
        return [Paragraph("Neither inputs nor calls of this run are told.")]
    left = len(turns) - len(cards)
    return [Cards(cards), *((Paragraph(f"{left:,} more: the record has all of them."),) if left else ())]


def _turns(record: RunRecord) -> Iterator[tuple[str | None, int, Card]]:
    """Each with its time, and its rank among those of the same."""

    def titled(at: str | None, what: str, marks: tuple[Mark, ...], *blocks: Block) -> Card:
        return Card(what, marks, blocks, at=record_words.clock(at, record.started_at))

    for each in record.inputs:
        text = Excerpt(each.text.begins) if each.text.begins else Paragraph("not sent as text")
        yield each.at, 0, titled(each.at, each.kind.replace("_", " "), (), text)
    for plan in record.plans:
        text = Excerpt(plan.text.begins) if plan.text.begins else Paragraph("not sent as text")
        yield plan.at, 1, titled(plan.at, "plan", (), text)
    for call in record.calls:
        at = call.proposed_at or call.started_at or call.decided_at
        mark = Mark(call.outcome.replace("_", " "), "critical" if call.near_miss else "plain")
        told = [Excerpt(call.arguments)] if call.arguments else [Paragraph("arguments not told")]
        came = call.result.begins if call.result is not None else None
        blocks: tuple[Block, ...] = (*told, *((Paragraph("came back:"), Excerpt(came)) if came else ()))
        yield at, 2, titled(at, f"call {call.number}: {call.tool or 'tool not told'}", (mark,), *blocks)
    for output in record.outputs:
        if output.call is None:
            text = (
                Excerpt(output.text.begins)
                if output.text.begins
                else Paragraph(("not sent as text: ", Code(output.text.evidence)))
            )
            yield output.at, 3, titled(output.at, "last answer of the model", (), text)


def related(others: pl.DataFrame, run_id: str, kept: Mapping[str, str]) -> list[Drawn]:
    """Other runs that share something with one, what was changed first (rows of `Analysis.related`)."""
    if others.is_empty():
        return drawn(
            [Paragraph("No other run on record shares an object, a call, an input or a configuration with it.")]
        )
    rows = tuple(
        (
            row["how"],
            row["what"],
            (Code(row["run_id"]),),
            instant(row["first_ns"]) or UNKNOWN,
            row["agent_name"] or record_words.UNTOLD,
            row["state"],
            f"{row['calls']:,}",
            f"{row['near_misses']:,}",
            row["basis"],
        )
        for row in others.head(_ROWS).iter_rows(named=True)
    )
    more: Line = (
        (f"{others.height - _ROWS:,} more: ", Code(f"aftertrace related {run_id}")) if others.height > _ROWS else ""
    )
    columns = ("shares", "what", "run", "began", "agent", "state", "calls:", "near misses:", "basis")
    table = Table(columns, rows, more, frozenset(("run", "began")))
    return drawn([table], {row["run_id"]: run_address(row["run_id"], kept) for row in others.iter_rows(named=True)})


def runs(rows: pl.DataFrame, kept: Mapping[str, str]) -> list[Drawn]:
    """Runs in short, the newest first (rows of `runs`)."""
    told = tuple(
        ((Code(row["run_id"]),), instant(row["first_ns"]) or UNKNOWN, row["agent_name"] or record_words.UNTOLD,
         row["state"], f"{row['calls']:,}", f"{row['near_misses']:,}", row["prompt"] or "")
        for row in rows.head(_ROWS).iter_rows(named=True)
    )  # fmt: skip
    more = f"{rows.height - _ROWS:,} more" if rows.height > _ROWS else ""
    columns = ("run", "began", "agent", "state", "calls:", "near misses:", "first input")
    table = Table(columns, told, more, frozenset(("run", "began")))
    return drawn([table], {run_id: run_address(run_id, kept) for run_id in rows["run_id"]})


def commentary(comments: pl.DataFrame, run_id: str) -> list[Drawn]:
    """What people wrote about a run (rows of `commentary.comments`), and how to write more."""
    command = Code(f'aftertrace comment add --run {run_id} "…"')
    if comments.is_empty():
        return drawn([Paragraph(("Nobody has written about this run: ", command))])
    cards = tuple(
        Card(
            row["author"],
            (Mark(row["label"] or row["kind"], "plain"), *(Mark(each, "low") for each in row["incidents"])),
            (*_happened(row), Excerpt(row["text"])),
            at=instant(row["written_at"]),
        )
        for row in comments.tail(_ROWS).iter_rows(named=True)
    )
    left = comments.height - len(cards)
    earlier = (Paragraph((f"{left:,} more before these: ", Code(f"aftertrace comment list --run {run_id}"))),)
    beside = "No part of the evidence: nothing above rests on it. To write more: "
    return drawn([Paragraph((beside, command)), *(earlier if left else ()), Cards(cards)])


def _happened(row: Mapping[str, Any]) -> tuple[Block, ...]:
    at = instant(row["happened_at"])
    return (Paragraph(("happened ", at)),) if at is not None else ()


def same_conversation(run: Mapping[str, Any]) -> pl.Expr:
    """Which other runs are of the conversation of a run: ids are a sender's own, so that two senders' never meet."""
    same = (pl.col(name).eq_missing(run[name]) for name in ("source", "service_name"))
    return pl.all_horizontal(
        pl.col("conversation_id") == pl.lit(run["conversation_id"], pl.String), pl.col("run_id") != run["run_id"], *same
    )
