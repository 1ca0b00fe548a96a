"""What Streamlit has no element for, drawn by scripts of ours: documents, calls as cards, a run on the clock, runs.

A script gets data and never markup. It puts each text into the page as text alone (`textContent`), and links lead to
pages of this dashboard. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import streamlit as st

from aftertrace.dashboards.blocks import Drawn

_FOLDER: Final = Path(__file__).parent / "drawn"
_SHARED: Final = ("elements.js",)
_VISIT_KEY: Final = "visit"
_MS_NS: Final = 1_000_000
_LATEST_MS: Final = 2**43


def _drawing(name: str) -> Any:
    script = "\n".join((_FOLDER / file).read_text(encoding="utf-8") for file in (*_SHARED, f"{name}.js"))
    sheet = (_FOLDER / "sheet.css").read_text(encoding="utf-8")
    # Not isolated: what it says can be searched for, read aloud and copied like the rest of the page.
    return st.components.v2.component(f"aftertrace_{name}", js=script, css=sheet, isolate_styles=False)


_DOCUMENT: Final = _drawing("document")
_CALL_CARDS: Final = _drawing("call_cards")
_TIMELINE: Final = _drawing("timeline")
_RUNS: Final = _drawing("runs")
_VISIT: Final = _drawing("visit")


def document(blocks: list[Drawn], *, key: str) -> None:
    """Draw blocks of a document, as `blocks.drawn` gives them."""
    _DOCUMENT(key=key, data={"blocks": blocks})


def call_cards(cards: list[Drawn], chosen: int | None, *, key: str, on_choice: Callable[[int | None], None]) -> None:
    """Draw calls one below the other, each to be opened.

    Args:
        cards: as `call_cards.drawn` gives them.
        chosen: number of the call that is open when the page is.
        key: name of the drawing on its page.
        on_choice: what is done when a reader opens one, with its number; None: when it is closed again.
    """
    _chosen_of(_CALL_CARDS, {"cards": cards, "chosen": chosen}, key, on_choice)


def timeline(drawn: Drawn, *, key: str, on_choice: Callable[[str | None], None]) -> None:
    """Draw a run on the clock, as `timeline.drawn` gives it; `on_choice` gets the id of the event that is chosen."""
    _chosen_of(_TIMELINE, drawn, key, on_choice)


def runs(drawn: Drawn, *, key: str) -> str | None:
    """Draw runs as `fingerprints.drawn` gives them; gives the id of one that a reader opens."""
    opened = _RUNS(key=key, data=drawn, on_opened_change=lambda: None).opened
    return None if opened is None else str(opened)


def last_visit_ns() -> int | None:
    """When the browser was here before, as far as it has said that already: `visit` asks it."""
    told = st.session_state.get(_VISIT_KEY, {}).get("since_ms")
    # Whatever a browser sends: what is no time is none.
    return int(told) * _MS_NS if isinstance(told, (int, float)) and 0 < told < _LATEST_MS else None


def visit() -> None:
    """Ask the browser when it was here before. It alone keeps that; where it says it, the page is drawn again."""
    _VISIT(key=_VISIT_KEY, on_since_ms_change=lambda: None)


def _chosen_of(drawing: Any, data: Drawn, key: str, on_choice: Callable[[Any], None]) -> None:
    def told() -> None:
        on_choice(st.session_state[key].get("chosen"))

    drawing(key=key, data=data, on_chosen_change=told)
