"""Permission modes: how much an agent may do without being let, in the words of its emitter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import permission_modes
from aftertrace.ingest.dialects.events import Event

BYPASSES = (
    "bypassPermissions",
    "--dangerously-skip-permissions",
    "dangerously-bypass-approvals-and-sandbox",
    "never, danger-full-access",
    "yolo",
    "YOLO",
    "allow-all",
    "bypass",
)
HELD = ("default", "plan", "acceptEdits", "autoEdit", "auto", "dontAsk", "never", "never, workspace-write", "", None)
"""Modes that ask somebody, or hold something back, or refuse."""


@pytest.mark.parametrize("mode", BYPASSES)
def test_a_mode_that_lets_everything_through_is_known_in_any_spelling(mode: str) -> None:
    """A decision under it is marked, and so is the record that sets it."""
    assert permission_modes.stated(mode) == {"permission_mode": mode, "bypass": True}
    assert permission_modes.entered(mode, 7) == Event(
        event="input.resolved", state="permission_mode", time_ns=7, content=mode, attributes={"bypass": True}
    )


@pytest.mark.parametrize("mode", HELD)
def test_any_other_mode_is_none(mode: str | None) -> None:
    """The control: nobody is said to have switched a control off who did not."""
    assert not permission_modes.is_bypass(mode)
    assert permission_modes.stated(mode) == ({} if mode is None else {"permission_mode": mode})


@given(st.text())
def test_no_word_of_an_emitter_is_an_error(mode: str) -> None:
    """Telemetry may hold anything."""
    assert permission_modes.is_bypass(mode) == ("bypass" in permission_modes.stated(mode))
