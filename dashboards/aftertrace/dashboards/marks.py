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

DECISIONS: Final = {
    "pending": Mark("waiting", ":material/hourglass_top:", "orange"),
    "granted": Mark("granted", ":material/check_circle:", "green"),
    "modified": Mark("granted with an edit", ":material/edit:", "yellow"),
    "rejected": Mark("rejected", ":material/block:", "red"),
    "expired": Mark("expired", ":material/hourglass_disabled:", "violet"),
    "cancelled": Mark("cancelled", ":material/cancel:", "gray"),
}
"""By decision of an approval."""

FAILED: Final = Mark("control failed", ":material/error:", "red")
"""What a failure of a control is."""

SEVERITIES: Final = (
    Mark("low", ":material/remove:", "gray"),
    Mark("medium", ":material/drag_handle:", "yellow"),
    Mark("high", ":material/warning:", "orange"),
    Mark("critical", ":material/error:", "red"),
)
"""By severity of a near miss, from 0."""

SEVERITY_COLOURS: Final = {"critical": "#c2334d", "high": "#b35f10", "medium": "#8a6d0d", "low": "#66758c"}
"""One per severity, the worst first."""

BROKEN: Final = Mark("failed", ":material/error:", "red")
WAITING: Final = Mark("waiting", ":material/hourglass_top:", "orange")
NEW: Final = Mark("new", ":material/person_add:", "blue")
CHANGED: Final = Mark("changed", ":material/difference:", "violet")
LOST: Final = Mark("lost", ":material/link_off:", "orange")
DENIED: Final = Mark("denied", ":material/block:", "red")
"""What an item on the page Now is about."""

UNSTATED: Final = Mark("not told", ":material/help:", "gray")
"""Where a value is missing, or is none of ours."""

DECLARED: Final = {
    "registered": Mark("registered", ":material/verified_user:", "green"),
    "unregistered": Mark("unregistered", ":material/person_alert:", "red"),
    "silent": Mark("silent", ":material/bedtime:", "gray"),
}
"""By how an agent stands to the declared inventory."""

DECLARED_COLOURS: Final = {"unregistered": "#c2334d", "silent": "#66758c", "registered": "#357f56"}
"""One per state of an agent in the inventory."""

HOLDS_COLOURS: Final = {"broken": "#c2334d", "unknown": "#8a6d0d", "idle": "#66758c"}
"""One per verdict on what is declared."""

OUTCOME_COLOURS: Final = {
    "denied": "#c7394f",
    "modified": "#a8640f",
    "expired": "#7d5cc4",
    "cancelled": "#2f7bab",
    "rejected_by_model": "#5068cc",
    "failed": "#a05a37",
    "unresolved": "#7d7630",
    "unknown_tool": "#66758c",
    "invalid_arguments": "#5d6a80",
    "pending": "#8f7010",
    "executed": "#357f56",
}
"""One per outcome: a bar of it is seen on white and on near-black (3:1), and white text is read on it (4.5:1)."""

DECISION_COLOURS: Final = {
    "pending": "#8f7010",
    "rejected": "#c7394f",
    "modified": "#a8640f",
    "expired": "#7d5cc4",
    "cancelled": "#66758c",
    "granted": "#357f56",
}
"""One per decision of an approval, those that wait first."""
