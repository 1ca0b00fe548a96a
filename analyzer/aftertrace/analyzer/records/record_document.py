"""A run record as a document to read, to attach to an incident and to print."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.documents.document import (
    Block,
    Card,
    Cards,
    Code,
    Document,
    Fact,
    Facts,
    Line,
    Mark,
    Paragraph,
    Part,
    Points,
    Strong,
    Tone,
)
from aftertrace.analyzer.documents.words import count
from aftertrace.analyzer.records.record_cards import SHOWN_CARDS, cards
from aftertrace.analyzer.records.record_json import document as json_of
from aftertrace.analyzer.records.record_tables import (
    approvals,
    changed_before,
    configuration,
    effects,
    inputs,
    timeline,
)
from aftertrace.analyzer.records.record_words import QUESTIONS, STATES, UNTOLD, cost, headline, lasted, moment, tokens

if TYPE_CHECKING:
    from aftertrace.analyzer.records.answers import Answer
    from aftertrace.analyzer.records.run_record import RunRecord

_SHOWN: Final = 50
_HONEST: Final = (
    "What the telemetry does not tell is said to be not told, and nothing is estimated. Explicit is what a record "
    "says, inferred what follows from a text or from what did not come. Names are as senders give them."
)
_TONES: Final[dict[str, Tone]] = {"known": "good", "partial": "high", "unknown": "critical"}
_STATE_TONES: Final[dict[str, Tone]] = {
    "open": "low",
    "waiting": "high",
    "completed": "good",
    "failed": "critical",
    "abandoned": "high",
}


def document(record: RunRecord, *, is_packed: bool = False) -> Document:
    """The document: what became of the run first, then the six answers, the calls, and what all of it rests on.

    One that `is_packed` stands in a packet: it points at what is beside it there, and tells nothing of other runs.
    """
    agent = " ".join(filter(None, (record.agent_name or "Agent not told", record.configuration.agent_version)))
    state = STATES.get(record.state, record.state) + (" (inferred)" if record.state_basis == "inferred" else "")
    began = (" ", moment(record.started_at), f" · {lasted(record.duration_s)}")
    parts = [
        Part("", (Paragraph(headline(record)), *findings(record), head(record))),
        Part("Six answers", (Cards(tuple(map(_answer, record.answers)), small=True),)),
        Part("Trigger, checks and effects", (Cards(tuple(map(_answer, record.more_answers)), small=True),)),
        Part(f"Calls ({len(record.calls):,})", _calls(record)),
        *approvals(record),
        effects(record),
        timeline(record),
        *inputs(record),
        configuration(record),
        *(() if is_packed else (changed_before(record),)),
        packed_evidence(record) if is_packed else evidence(record),
    ]
    lead: Line = (Mark(state, _STATE_TONES.get(record.state, "plain")), " ", Code(record.run_id), *began)
    return Document(f"{agent}: one run", tuple(parts), lead)


def head(record: RunRecord) -> Facts:
    """For whom and where it ran, by what it was set off, what it used, and who tells of it."""
    usage, trigger = record.usage, record.trigger
    by_run = f"by run {trigger.parent_run}" if trigger.parent_run else None
    told = {
        "Acted for": record.user_id,
        "Trigger": " ".join(filter(None, (trigger.kind, trigger.id, by_run))),
        "Workflow": record.workflow,
        "Service": " ".join(filter(None, (record.service_name, record.service_version))),
        "Environment": record.environment,
        "Tenant": record.tenant,
        "Conversation": record.conversation_id,
        "The sender's id of it": ", ".join(record.run_keys),
        "Tokens": tokens(usage),
        "Cost, as stated": cost(usage),
        "Sent by": ", by ".join(filter(None, (record.source, " and ".join(record.credentials)))),
        "Read as": ", ".join(record.dialects),
    }
    return Facts(tuple(Fact(name, value or UNTOLD) for name, value in told.items()), small=True)


def findings(record: RunRecord) -> tuple[Block, ...]:
    """Where a control failed, or something is odd, in one card; nothing where nothing is."""
    if not record.findings:
        return ()
    lines: list[Line] = []
    for finding in record.findings[:_SHOWN]:
        of = finding.of if finding.number is None else f"{finding.of} {finding.number}"
        sure = f", {finding.certainty}" if finding.certainty is not None else ""
        what = f": {finding.what}" if finding.what else ""
        others = tuple(Code(f"aftertrace run {run}") for run in finding.other_runs)
        lines.append((Strong(finding.signal.replace("_", " ")), f" ({of}{sure}): {finding.brief}{what} ", *others))
    left = len(record.findings) - _SHOWN
    lines += [f"{left:,} more"] if left > 0 else []
    return (Cards((Card("Where a control failed, or something is odd", (), (Points(tuple(lines)),), "critical"),)),)


def _answer(answer: Answer) -> Card:
    blocks: list[Block] = [Paragraph(answer.value)]
    if answer.switch_on is not None:
        never = answer.switch_on.endswith("does not tell this")
        blocks.append(Paragraph(answer.switch_on if never else f"Switch on: {answer.switch_on}"))
    if answer.evidence:
        blocks.append(Paragraph(("evidence: ", Code(", ".join(answer.evidence)))))
    tone = _TONES[answer.state]
    return Card(QUESTIONS.get(answer.question, answer.question), (Mark(answer.state, tone),), tuple(blocks), tone)


def _calls(record: RunRecord) -> tuple[Block, ...]:
    if not record.calls:
        return (Paragraph("No tool call is on record."),)
    left = len(record.calls) - SHOWN_CARDS
    if left <= 0:
        return (cards(record),)
    return (
        cards(record),
        Paragraph((f"{left:,} more calls: ", Code(f"aftertrace calls --run {record.run_id}"))),
    )


def packed_evidence(record: RunRecord) -> Part:
    """What it rests on, and where that is in the packet."""
    return Part(
        "Evidence, and how to check this page",
        (
            *_rests_on(record),
            Points(
                (
                    (
                        "All of this as JSON: ",
                        Code("record.json"),
                        " beside it, whose SHA-256 is ",
                        Code(_digest(record)),
                    ),
                    ("The places of the records: ", Code("records.txt"), " beside it"),
                    ("The records, and what was read from them: ", Code("../../evidence")),
                    ("Whether they are what was stored: ", Code("aftertrace-verify"), ", which is not in the packet"),
                )
            ),
            Paragraph(
                "This page was made of these records, and of those beside them where order and identity rest on them. "
                "What other runs tell beside it is not here."
            ),
            Paragraph(_HONEST),
        ),
    )


def _rests_on(record: RunRecord) -> tuple[Block, ...]:
    missing = f" At least {count(record.missing, 'record')} of it never came." if record.missing else ""
    traces = ", ".join(record.traces[:_SHOWN]) or UNTOLD
    return (
        Paragraph(
            f"It rests on {count(record.records, 'stored record')}.{missing} "
            "A place such as receiver/12/3 names one: receiver, request and position in it."
        ),
        Facts((Fact("By what was received before", record.as_of), Fact("Traces", traces)), small=True),
    )


def _digest(record: RunRecord) -> str:
    return hashlib.sha256(json_of(record).encode()).hexdigest()


def evidence(record: RunRecord) -> Part:
    """What it rests on, and the commands that check and continue it."""
    command = f"aftertrace run {record.run_id} --format json --as-of {record.as_of}"
    records = f"aftertrace records {(record.traces or (record.run_id,))[0]} --otlp"
    return Part(
        "Evidence, how to check this page, and where to look further",
        (
            *_rests_on(record),
            Points(
                (
                    ("All of this as JSON: ", Code(command), ", whose SHA-256 is ", Code(_digest(record)), "."),
                    ("The records, as they were received: ", Code(records)),
                    ("Whether what is stored is what was written: ", Code("aftertrace fsck")),
                    ("What else may be affected: ", Code(f"aftertrace related {record.run_id}")),
                )
            ),
            Paragraph(_HONEST),
        ),
    )
