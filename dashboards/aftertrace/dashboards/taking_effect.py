"""What somebody chose takes effect when the page is drawn whole.

Streamlit calls back in the first run that a new value comes with. Where the browser asks at the same moment for the
part that is drawn again every two seconds (`app.look_for_news`), this is a run of that part: it is given up for the
whole one that the choice itself asked for, and that has the address and all widgets as they stood in the browser
before. What the callback had written into them would be gone; what it notes here is not.

A button needs none of this: its press comes with the whole run alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

_NOTED: Final = "taking_effect"
_WRITTEN: Final = "in_effect"


def note(address: Mapping[str, str | None], widgets: Mapping[str, Any] | None = None) -> None:
    """Say in a callback what follows from a value that was chosen.

    Args:
        address: what stands in the address then, by key; None takes it out.
        widgets: what other widgets hold then, by key.
    """
    st.session_state.setdefault(_NOTED, []).append((dict(address), dict(widgets or {})))


def write() -> None:
    """Write what was noted into the address and the widgets, the oldest first; before any of them is drawn."""
    written: dict[str, str | None] = {}
    for address, widgets in st.session_state.pop(_NOTED, ()):
        written |= address
        for key, value in widgets.items():
            st.session_state[key] = value
    for key, value in written.items():
        if value is None:
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = value
    st.session_state[_WRITTEN] = written


def is_seen() -> bool:
    """Whether the browser had what was written last when it asked for a part of the page.

    Where it had not, its widgets are those of before, too: a page that is drawn whole from them forgets the choice.
    """
    return all(st.query_params.get(key) == value for key, value in st.session_state.get(_WRITTEN, {}).items())
