"""What happened when, as SVG: a lane for each kind of actor, bars for what lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aftertrace.analyzer.documents.document import Lanes
from aftertrace.analyzer.documents.lengths import length

MOST_DRAWN: Final = 600
"""More are not drawn: what is left would lie on top of each other."""
_WIDTH: Final = 1000
_LEFT: Final = 66
_RIGHT: Final = 10
_LANE: Final = 24
_BAR: Final = 12
_LEAST: Final = 3.0
"""What takes no time is drawn this wide."""
_TICKS: Final = 5


def lanes_drawn(told: Lanes, text: Callable[[str], str]) -> str:
    """The drawing; nothing where less than two things have a time.

    Args:
        told: the lanes.
        text: how text is escaped.
    """
    if len(told.stays) < 2:
        return ""
    begin = min(stay.offset_s for stay in told.stays)
    span = max(max(stay.offset_s + stay.lasted_s for stay in told.stays) - begin, 1e-6)
    scale = (_WIDTH - _LEFT - _RIGHT) / span
    floor = len(told.lanes) * _LANE
    drawn = [
        f'<text x="0" y="{at * _LANE + _LANE / 2 + 4:.0f}">{text(lane)}</text>'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{at * _LANE + _LANE // 2}" y2="{at * _LANE + _LANE // 2}"/>'
        for at, lane in enumerate(told.lanes)
    ]
    for stay in told.stays[:MOST_DRAWN]:
        at = told.lanes.index(stay.lane)
        left, wide = _LEFT + (stay.offset_s - begin) * scale, max(stay.lasted_s * scale, _LEAST)
        drawn.append(
            f'<rect class="lane-{at}" x="{left:.1f}" y="{at * _LANE + (_LANE - _BAR) // 2}" width="{wide:.1f}" '
            f'height="{_BAR}" rx="2"><title>{text(stay.name)}</title></rect>'
        )
    for tick in range(_TICKS):
        offset = span * tick / (_TICKS - 1)
        anchor = "start" if tick == 0 else "end" if tick == _TICKS - 1 else "middle"
        x = _LEFT + offset * scale
        drawn.append(f'<text x="{x:.0f}" y="{floor + 14}" text-anchor="{anchor}">+{length(offset)}</text>')
    return (
        f'<figure><svg class="lanes" viewBox="0 0 {_WIDTH} {floor + 20}" role="img" aria-label="Timeline">'
        + "".join(drawn)
        + "</svg></figure>"
    )
