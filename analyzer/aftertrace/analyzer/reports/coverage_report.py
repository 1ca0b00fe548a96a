"""The coverage report: which agents cannot answer which questions about their runs, and what to switch on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from aftertrace.analyzer.documents.document import (
    Block,
    Code,
    Document,
    Interval,
    Line,
    Mark,
    Paragraph,
    Part,
    Points,
    Strong,
    Table,
    moment,
)
from aftertrace.analyzer.documents.words import count, name_of
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.reports.agent_coverage import AgentCoverage, agent_coverage

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.documents.document import Tone

_UNNAMED: Final = "an agent without a name"
_SIX: Final = ("agent", "model", "system_prompt", "inputs", "tools", "reviewer")
_READING: Final = (
    "Of each agent the newest runs are asked, at most 50 and fewer where agents are many, since what it sent long ago "
    "is no measure of its switches now. Six questions are asked of every run: agent, model and version, system prompt, "
    "inputs, tools considered, called and rejected, and who reviewed; beside them what triggered it, which checks it "
    "passed and what it changed. An answer is known, known in part, or unknown; the interval is Wilson's, at 95 %. "
    "Checks and effects are unknown, too, where a run passed none and changed nothing without saying so."
)


def coverage(analysis: Analysis, filter: Filter | None = None) -> Document:  # noqa: A002  # the word users know
    """The coverage report of the agents that a filter lets through."""
    return told(agent_coverage(analysis, filter or Filter()), analysis.now_ns)


def written_json(found: AgentCoverage) -> str:
    """The report as one JSON object, in ASCII; rows as in `agent_coverage.ANSWERED`."""
    notes = {emitter.name: {"title": emitter.title, "note": emitter.note} for emitter in found.emitters}
    report = {
        "answers": found.answered.to_dicts(),
        "emitters": notes,
        "left_out": {"agents": found.agents_left_out, "runs": found.runs_left_out},
    }
    return json.dumps(report, ensure_ascii=True, indent=1) + "\n"


def told(found: AgentCoverage, now_ns: int) -> Document:
    """The report that tells this."""
    lead = f"As of {moment(now_ns)} UTC."
    agents = _agents(found)
    if not agents:
        nothing: Line = ("No runs are recorded. ", Code("aftertrace doctor"), " says what is received, if anything is.")
        return Document("Coverage", (Part("", (Paragraph(nothing),)),), lead)
    parts = (
        Part("", (*_headline(agents), *_left_out(found))),
        Part("Who can answer what", (_matrix(agents),)),
        *(_agent(rows) for rows in agents if any(row["switch_on"] for row in rows)),
        Part("Even with every switch on", (Points(tuple(_note(found))),)) if any(_note(found)) else None,
        Part("How to read this", (Paragraph(_READING),)),
    )
    return Document("Coverage", tuple(part for part in parts if part is not None), lead)


def _agents(found: AgentCoverage) -> list[list[dict[str, Any]]]:
    """The rows of each agent, by question."""
    rows = found.answered.iter_rows(named=True)
    return [list(of) for _, of in groupby(rows, key=lambda row: (row["agent_name"], row["emitter"]))]


def _headline(agents: list[list[dict[str, Any]]]) -> tuple[Block, ...]:
    lacking = sum(any(row["known"] < row["judged"] for row in rows if row["question"] in _SIX) for rows in agents)
    runs = sum(rows[0]["runs"] for rows in agents)
    said: Line = (
        Strong(f"{lacking:,} of {count(len(agents), 'agent')}"),
        f" cannot answer all six questions about every run, in {count(runs, 'run')} in all.",
    )
    return (Paragraph(said),)


def _left_out(found: AgentCoverage) -> tuple[Block, ...]:
    """What is not judged."""
    if not found.agents_left_out:
        return ()
    more = count(found.agents_left_out, "more agent")
    said: Line = (
        Strong(f"Not judged: {more}"),
        f", those with the fewest runs, {count(found.runs_left_out, 'run')} in all. ",
        Code("--agent NAME"),
        " judges one.",
    )
    return (Paragraph(said),)


def _matrix(agents: list[list[dict[str, Any]]]) -> Table:
    questions = [row["question"].replace("_", " ") for row in agents[0]]
    rows = tuple(
        (
            name_of(rows[0]["agent_name"], _UNNAMED),
            rows[0]["emitter"],
            f"{rows[0]['runs']:,}",
            *((_known(row),) for row in rows),
        )
        for rows in agents
    )
    more = "How many of the judged runs know each answer; ~ stands for answers that are known in part."
    # With a mark, since a column of agents is there before the question of that name.
    return Table(("agent", "told by", "runs:", *(f"{question}?" for question in questions)), rows, more)


def _known(row: Mapping[str, Any]) -> Mark:
    tone: Tone = "good" if row["known"] == row["judged"] else "medium" if row["known"] or row["partial"] else "critical"
    partly = f" ~{row['partial']}" if row["partial"] else ""
    return Mark(f"{row['known']}/{row['judged']}{partly}", tone)


def _agent(rows: list[dict[str, Any]]) -> Part:
    lacking = tuple(
        (
            row["question"].replace("_", " "),
            (Interval(row["share"], row["low"], row["high"]),),
            f"{row['partial']:,}",
            row["switch_on"],
            (Code(row["run_ids"][0]),),
        )
        for row in rows
        if row["switch_on"]
    )
    columns = ("question", "not known, or in part", "in part:", "what would tell it", "a run to look at")
    head: Line = (
        f"{count(rows[0]['runs'], 'run')}. ",
        Code(f"aftertrace connect {rows[0]['emitter']}"),
        " prints the switches, ",
        Code("aftertrace run RUN"),
        " shows a run.",
    )
    return Part(
        f"{rows[0]['agent_name'] or _UNNAMED}, told by {rows[0]['emitter']}", (Paragraph(head), Table(columns, lacking))
    )


def _note(found: AgentCoverage) -> list[Line]:
    return [(Strong(f"{emitter.title}: "), emitter.note) for emitter in found.emitters if emitter.note]
