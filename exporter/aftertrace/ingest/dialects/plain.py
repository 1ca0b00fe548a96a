"""What no other dialect knows: plain OTel, read as far as it says anything about an agent.

Takes every record, so that a span or log record always has a row; it states no events.
"""

from __future__ import annotations

from typing import Final

from aftertrace.ingest.dialects.events import Reading, Who
from aftertrace.ingest.dialects.values import associated_conversation
from aftertrace.ingest.records import Record

NAME: Final = "plain"
READS: Final = (
    ("span, log: session.id, gen_ai.conversation.id, traceloop.association.properties.*", "conversation_id"),
    ("span, log: aftertrace.run.id", "run_key"),
    ("span, log: user.id, enduser.id", "user_id"),
)


def read(record: Record) -> Reading:
    """Read identity by the standard names; everything else stays in `attributes` and in the evidence."""
    attributes = record.attributes
    return Reading(
        dialect=NAME,
        who=Who(
            run_key=attributes.get("aftertrace.run.id"),
            conversation_id=attributes.get("gen_ai.conversation.id")
            or attributes.get("session.id")
            or associated_conversation(attributes),
            user_id=attributes.get("user.id") or attributes.get("enduser.id"),
        ),
    )
