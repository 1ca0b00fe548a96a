"""Changes as a page to read: what was changed, the lines of the prompt, and what moved, with how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aftertrace.cli.whole_prompts import CHARACTERS, LINES
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import polars as pl

    from aftertrace.analyzer import Analysis, Filter
    from aftertrace.cli.whole_prompts import WholePrompt

_WHOSE: Final = ("source", "tenant", "environment", "service_name", "agent_name")
_LINES: Final = 12
"""Lines of a prompt's change on the page; `--diff` shows all."""
_CHARACTERS: Final = 100
_DIFF_LINES: Final = 2_000
_DIFF_CHARACTERS: Final = 4_000
_WHOLE_BELOW: Final = 2_000
"""A template that is shorter is of a prompt that is kept whole, beside the evidence too."""
_ONLY_BEGINNINGS: Final = (
    "How both texts begin is compared: the whole of one is not in the evidence, or their wording differs at each run."
)
_CUT: Final = f"The prompt is longer than what is compared: its first {CHARACTERS:,} characters, and {LINES:,} lines."
_NOT_SET_APART: Final = "Which of its values differ from run to run is not told: such lines may be no change."
_MEASURES: Final = {
    "near_misses": "near misses",
    "denials": "denials",
    "errors": "errors",
    "approval_wait": "approval wait",
    "tokens": "tokens",
    "cost_usd": "cost",
}
_UNTOLD: Final = {"not_shown": "not shown to have moved", "too_few": "too few runs to tell", "not_told": "not told"}
_STATES: Final = {
    "beside": "both are in use",
    "withdrawn": "withdrawn since: the old one goes on",
}
_NS: Final = 10**9


def page(analysis: Analysis, listed: pl.DataFrame, wanted: Filter) -> list[str]:
    """The changes of `listed`, in its order, under how much was looked at."""
    seen = wanted.apply(analysis.versioned.lazy()).collect()
    agents, looked = seen.select(_WHOSE).n_unique(), seen["run_id"].n_unique()
    lines = [
        f"{count(listed.height, 'change')} of {count(agents, 'agent')} in {count(looked, 'run')}",
        *_corrected(analysis),
    ]
    for row in listed.iter_rows(named=True):
        lines += ["", *_change(analysis, row)]
    return lines


def before_page(analysis: Analysis, in_force: pl.DataFrame, listed: pl.DataFrame) -> list[str]:
    """What was in force in some runs, and the changes before it, the nearest first."""
    if not in_force.height:
        return ["nothing is told of what was in force: neither agent, model, prompt, tools nor policy"]
    lines: list[str] = []
    for row in in_force.iter_rows(named=True):
        lines += [*_configuration(row), ""]
        mine = listed.filter(*(listed[name].eq_missing(row[name]) for name in _WHOSE))
        if not mine.height:
            lines += ["nothing is known to have changed before it", ""]
            continue
        lines += ["what had changed just before, the nearest first", ""]
        for change in mine.iter_rows(named=True):
            lines += [*_change(analysis, change, ago=_ago(change)), ""]
    return [*lines, *_corrected(analysis)] if listed.height else lines[:-1]


def found(analysis: Analysis, change: str) -> dict[str, Any]:
    """The change of an id, or of the beginning of one. Raises `Invalid` where none or several have it."""
    import polars as pl

    rows = analysis.configuration_changes.filter(pl.col("change_id").str.starts_with(change))
    if rows.height != 1:
        raise Invalid(
            f"change {change!r}: {rows.height} changes have this id, expected one; `aftertrace changes` lists them"
        )
    return rows.row(0, named=True)


def diff_lines(
    analysis: Analysis, change: dict[str, Any], prompts: Sequence[WholePrompt | None] = (None, None)
) -> list[str]:
    """A change in full: of a prompt a unified diff, with what differs from run to run left out; else both sides.

    Args:
        analysis: of the store.
        change: one row of `configuration_changes`.
        prompts: the prompts of the last run before and of the first with it, where the evidence holds them.
    """
    from aftertrace.analyzer.configurations.changes import prompt_diff

    head = [_head(change), f"--- version {change['version_before']}, last in run {change['last_run_before']}",
            f"+++ version {change['version_after']}, first in run {change['first_run_id']}"]  # fmt: skip
    if change["part"] != "prompt":
        return [*head, *_sides(change)]
    before, after = (_template(analysis, change[name]) for name in ("configuration_before", "configuration_after"))
    if before is None or after is None:
        return [*head, "The text of the prompt is not kept on both sides: only its digest tells that it changed.",
                f"-{plain(change['before'])}", f"+{plain(change['after'])}"]  # fmt: skip
    one, other = prompts
    if one is None or other is None:
        made = prompt_diff(before, after, context=3)
        told = [] if max(len(before), len(after)) < _WHOLE_BELOW else [_ONLY_BEGINNINGS]
        beyond = "The beginning that is kept is the same on both sides: it differs further down."
    else:
        made = prompt_diff(one.text, other.text, context=3)
        told = [_CUT] if one.is_cut or other.is_cut else []
        told += [] if one.is_set_apart and other.is_set_apart else [_NOT_SET_APART]
        beyond = "What is compared of it is the same on both sides: it differs further down."
    shown = [line[0] + plain(line[1:], most=_DIFF_CHARACTERS) for line in made[:_DIFF_LINES]]
    left = [f"… and {len(made) - _DIFF_LINES:,} more lines"] if len(made) > _DIFF_LINES else []
    return [*head, *told, *(shown or [beyond]), *left]


def _sides(change: dict[str, Any]) -> list[str]:
    if change["part"] == "tools":
        return [f"{sign}{plain(name)}" for sign, of in (("-", "removed"), ("+", "added")) for name in change[of]]
    return [f"-{plain(change['before'])}", f"+{plain(change['after'])}"]


def _template(analysis: Analysis, configuration_id: str) -> str | None:
    import polars as pl

    rows = analysis.configurations.filter(pl.col("configuration_id") == configuration_id)
    return rows["template"][0] if rows.height else None


def _corrected(analysis: Analysis) -> list[str]:
    tested = analysis.change_measures["q"].count()
    if not tested:
        return [
            "what moved: nothing could be tested, since that takes five runs that tell it on both sides of a change"
        ]
    looks = count(tested, "look")
    return [f"what moved: with 95 % intervals; q is corrected for all {looks} at what moved in this store"]


def _configuration(row: dict[str, Any]) -> list[str]:
    parts = {
        "agent version": row["agent_version"],
        "model": row["model"],
        "served": row["model_served"],
        "prompt": row["template_digest"],
        "tools": None if row["tool_names"] is None else ", ".join(row["tool_names"]) or "none",
        "policy": row["policy"],
    }
    lines = [
        f"run {row['run_id']} · {_moment(row['run_ns'])}",
        plain(f"{_agent(row)}: version {row['version']}, in {count(row['runs'], 'run')}")
        + f" from {_moment(row['first_ns'])} to {_told(row['last_at'])}",
    ]
    lines += [f"  {name:14} {plain(value) if value else 'not told'}" for name, value in parts.items()]
    if "whole" in row["set_apart"]:
        lines.append(
            "  the prompt's text is not kept, and its digest differs from run to run: a change of it cannot be told"
        )
    return lines


def _change(analysis: Analysis, row: dict[str, Any], *, ago: str = "") -> list[str]:
    return [_head(row) + ago, *(f"    {line}" for line in (*_what(row), *_since(row), *_moved(analysis, row)))]


def _head(row: dict[str, Any]) -> str:
    from aftertrace.analyzer.records.version_words import PARTS

    back = ", and the one asked for is the same" if row["is_silent"] else ""
    back += ", back to what it had been" if row["is_return"] else ""
    return (
        plain(f"{_moment(row['first_ns'])}  {_agent(row)}: {PARTS[row['part']]}{back}") + f"  [{row['change_id'][:8]}]"
    )


def _agent(row: dict[str, Any]) -> str:
    where = f" ({row['environment']})" if row["environment"] else ""
    return f"{row['agent_name'] or row['service_name'] or 'an agent without a name'}{where}"


def _what(row: dict[str, Any]) -> list[str]:
    """What was changed: lines, tools, or one value for another."""
    changed = [("-", text) for text in row["removed"]] + [("+", text) for text in row["added"]]
    if not changed and row["part"] == "prompt":
        how = f"aftertrace changes --diff {row['change_id'][:8]} compares the texts, where they are kept"
        return [f"{plain(row['before'])[:19]}… -> {plain(row['after'])[:19]}…", how]
    if not changed:
        return [plain(f"{row['before']} -> {row['after']}")]
    if row["part"] == "tools":
        sides = (("-", row["removed"]), ("+", row["added"]))
        return [f"{sign} {plain(', '.join(names), most=_CHARACTERS)}" for sign, names in sides if names]
    lines = [f"{sign} {plain(text, most=_CHARACTERS)}" for sign, text in changed[:_LINES]]
    if len(changed) > _LINES:
        lines.append(f"… and {len(changed) - _LINES} lines more: aftertrace changes --diff {row['change_id'][:8]}")
    return lines


def _since(row: dict[str, Any]) -> list[str]:
    """Versions, runs, and how the old went."""
    versions = f"version {row['version_before']} -> {row['version_after']}"
    lines = [f"{versions} · first run {row['first_run_id']} · {count(row['runs'], 'run')}"]
    told = [_STATES[row["state"]]] if row["state"] in _STATES else []
    if row["overlap_runs"]:
        told.append(
            f"{count(row['overlap_runs'], 'run')} still had the old one, until {row['overlap_until']:%Y-%m-%d %H:%M}"
        )
    if told:
        lines.append("; ".join(told))
    if row["with_parts"]:
        parts = ", ".join(part.replace("_", " ") for part in row["with_parts"])
        lines.append(f"at about the same run: {parts}; what moved after one cannot be told from the other")
    return lines


def _moved(analysis: Analysis, row: dict[str, Any]) -> list[str]:
    import polars as pl

    looks = analysis.change_measures.filter(pl.col("change_id") == row["change_id"]).rows(named=True)
    lines = [f"moved: {_look(look)}" for look in looks if look["verdict"] in ("up", "down")]
    for verdict, text in _UNTOLD.items():
        names = [_MEASURES[look["measure"]] for look in looks if look["verdict"] == verdict]
        if names:
            lines.append(f"{text}: {', '.join(names)}")
    return lines


def _look(look: dict[str, Any]) -> str:
    floor = ", floors" if look["floor"] and look["measure"] in ("near_misses", "denials") else ""
    runs = f"{look['runs_before']:,} and {look['runs_after']:,} runs"
    if look["measure"] in ("near_misses", "denials", "errors"):
        low, high = (f"{100 * look[name]:+.1f}" for name in ("low", "high"))
        calls = f"{look['count_before']:,} and {look['count_after']:,} calls"
        values = f"{look['before']:.1%} -> {look['after']:.1%}, by {100 * look['difference']:+.1f} points"
        about = f"{low} to {high}; q {_q(look['q'])}; {calls} in {runs}{floor}"
    else:
        unit = {"approval_wait": " s", "cost_usd": " USD"}.get(look["measure"], "")
        before, after = (_amount(look[name]) for name in ("before", "after"))
        gap, low, high = (_signed(look[name]) for name in ("difference", "low", "high"))
        values = f"{before}{unit} -> {after}{unit} (medians), by {gap}{unit}"
        about = f"{low} to {high}; q {_q(look['q'])}; {runs}"
    return f"{_MEASURES[look['measure']]} {values} ({about})"


def _q(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + _amount(value)


def _ago(row: dict[str, Any]) -> str:
    if row["runs_between"] == 0:
        return " · this run is the first with it"
    seconds = row["ago_ns"] // _NS
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    ago = f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
    return f" · {ago} and {count(row['runs_between'], 'run')} before"


def _told(at: datetime | None) -> str:
    return "unknown" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _moment(time_ns: int | None) -> str:
    from aftertrace.analyzer.documents.document import moment

    return moment(time_ns)
