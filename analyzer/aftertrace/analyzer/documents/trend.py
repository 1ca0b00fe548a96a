"""Small drawings in HTML documents, as SVG: an interval as a dot with whiskers, and counts over time as bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aftertrace.analyzer.documents.document import Interval, Rows, Trend

_INTERVAL_WIDTH: Final = 72
_WIDTH: Final = 880
_HEIGHT: Final = 150
_LEFT: Final = 44
_RIGHT: Final = 8
_TOP: Final = 14
_BOTTOM: Final = 24
_MOST_WIDE: Final = 64
_NAMES: Final = 10
"""About how many steps are named below a trend."""


def interval_drawn(interval: Interval) -> str:
    """A share between 0 and 1, with its interval; nothing where there is none."""
    if interval.share is None or interval.low is None or interval.high is None:
        return ""
    low, at, high = (3 + value * (_INTERVAL_WIDTH - 6) for value in (interval.low, interval.share, interval.high))
    return (
        f'<svg width="{_INTERVAL_WIDTH}" height="11" viewBox="0 0 {_INTERVAL_WIDTH} 11" aria-hidden="true">'
        f'<line class="axis" x1="1" x2="{_INTERVAL_WIDTH - 1}" y1="5.5" y2="5.5"/>'
        f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="5.5" y2="5.5"/>'
        f'<circle class="dot" cx="{at:.1f}" cy="5.5" r="3"/></svg>'
    )


def trend_drawn(trend: Trend, link: Callable[[Rows], str], text: Callable[[str], str]) -> str:
    """Counts as bars; shares with their intervals in a table below, as they are in every other format.

    Args:
        trend: the counts.
        link: how the rows behind a number are linked.
        text: how text is escaped.
    """
    most = max((bar.count for bar in trend.bars), default=0)
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(trend.bars), 1)
    floor, scale = _HEIGHT - _BOTTOM, (_HEIGHT - _BOTTOM - _TOP) / max(most, 1)
    wide = min(step * 0.76, _MOST_WIDE)
    named = max(1, -(-len(trend.bars) // _NAMES))
    drawn = [
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{floor}" y2="{floor}"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 4}" text-anchor="end">{most:,}</text>',
        f'<text x="{_LEFT - 6}" y="{floor + 4}" text-anchor="end">0</text>',
    ]
    rows = []
    for at, bar in enumerate(trend.bars):
        left, height = _LEFT + at * step, bar.count * scale
        drawn.append(
            f'<rect class="bar" x="{left + (step - wide) / 2:.1f}" y="{floor - height:.1f}" width="{wide:.1f}" '
            f'height="{height:.1f}"><title>{text(bar.name)}: {bar.count:,} of {bar.of:,}</title></rect>'
        )
        if at % named == 0:
            drawn.append(
                f'<text x="{left + step / 2:.1f}" y="{_HEIGHT - 7}" text-anchor="middle">{text(bar.name)}</text>'
            )
        if not bar.of:
            continue
        cells = (
            f'<td class="unbroken">{text(bar.name)}</td>',
            f'<td class="number">{bar.text}</td>',
            f'<td class="number">{bar.of:,}{link(bar.rows) if bar.rows else ""}</td>',
            f'<td><span class="interval">{interval_drawn(bar.interval)}<span>{text(bar.interval.text)}</span></span>',
            "</td>",
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    told = text(f"{trend.counted} over time, at most {most:,}")
    return (
        f'<figure style="margin:.6rem 0"><svg role="img" aria-label="{told}" width="100%" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(drawn)}</svg></figure>\n'
        '<div class="scroll"><table>\n<thead><tr><th scope="col"></th>'
        f'<th scope="col" class="number">{text(trend.counted)}</th><th scope="col" class="number">{text(trend.of)}</th>'
        '<th scope="col">rate, 95 % interval</th></tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody>\n</table></div>"
    )
