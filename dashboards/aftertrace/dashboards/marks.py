"""How states and outcomes look: a word, an icon and a colour, never the colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Colour = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A word with an icon and a colour of Streamlit's palette."""

    word: str
    icon: str
    colour: Colour


RUN_STATES: Final = {
    "open": Mark("open", ":material/play_circle:", "blue"),
    "waiting": Mark("waiting for an approval", ":material/hourglass_top:", "orange"),
    "completed": Mark("completed", ":material/check_circle:", "gray"),
    "failed": Mark("failed", ":material/error:", "red"),
    "abandoned": Mark("abandoned", ":material/hourglass_disabled:", "orange"),
}
"""By state of a run."""

FAILED: Final = Mark("control failed", ":material/error:", "red")
"""What a failure of a control is."""

SEVERITIES: Final = (
    Mark("low", ":material/remove:", "gray"),
    Mark("medium", ":material/drag_handle:", "yellow"),
    Mark("high", ":material/warning:", "orange"),
    Mark("critical", ":material/error:", "red"),
)
"""By severity of a near miss, from 0."""

SEVERITY_COLOURS: Final = {"critical": "#c2334d", "high": "#c06a14", "medium": "#9c7c10", "low": "#6d7a8f"}
"""One per severity, the worst first."""

WAITING: Final = Mark("waiting", ":material/hourglass_top:", "orange")
NEW: Final = Mark("new", ":material/person_add:", "blue")
CHANGED: Final = Mark("changed", ":material/difference:", "violet")
LOST: Final = Mark("lost", ":material/link_off:", "orange")
DENIED: Final = Mark("denied", ":material/block:", "red")
"""What an item on the page Now is about."""

UNSTATED: Final = Mark("not stated", ":material/help:", "gray")
"""Where a value is missing, or is none of ours."""

OUTCOME_COLOURS: Final = {
    "denied": "#d1495b",
    "modified": "#e0952f",
    "expired": "#8c6bd1",
    "cancelled": "#3f8fc4",
    "rejected_by_model": "#5a74d6",
    "failed": "#a8623f",
    "unresolved": "#a39b4f",
    "unknown_tool": "#7f8fa6",
    "invalid_arguments": "#6d7a8f",
    "pending": "#c9a227",
    "executed": "#4d9a6f",
}
"""One per outcome, legible on white and on near-black."""

DECISION_COLOURS: Final = {
    "pending": "#c9a227",
    "rejected": "#d1495b",
    "modified": "#e0952f",
    "expired": "#8c6bd1",
    "cancelled": "#7f8fa6",
    "granted": "#4d9a6f",
}
"""One per decision of an approval, those that wait first."""
