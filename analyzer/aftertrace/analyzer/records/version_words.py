"""How versions of agents and their changes are put into words: the same on the screen and in documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.documents.words import count

if TYPE_CHECKING:
    from aftertrace.analyzer.records.run_record import AgentVersion, PriorChange

PARTS: Final = {
    "prompt": "prompt changed",
    "tools": "tools changed",
    "tool_schemas": "tool definitions changed",
    "model": "another model asked for",
    "model_served": "another model answers",
    "policy": "policy changed",
    "agent_version": "agent version changed",
}
"""By part, what a change of it is called."""
OTHERS_UNREAD: Final = (
    "Other runs were not looked at: that would take too long here, as too little is kept of them (aftertrace derive)."
)
"""Where the record of a run does not tell what other runs tell."""
CONFIGURATION_UNTOLD: Final = "Nothing is told of what was in force: neither agent, model, prompt, tools nor policy"
"""Where no agent of a run tells anything of its configuration."""
_SIDES: Final = 3
_CHARACTERS: Final = 160
_DIGEST_CHARACTERS: Final = 19


def in_force(each: AgentVersion) -> str:
    """Which version an agent ran with: ``clerk ran with version 3 of its configuration; 41 runs of it came before``."""
    version = f"version {each.version} of its configuration" if each.version else f"{each.configuration_id}"
    before = f"{count(each.runs_before, 'run')} of it came before" if each.runs_before else "its first run on record"
    return f"{each.agent or 'an agent without a name'} ran with {version}; {before}"


def changed_part(change: PriorChange) -> str:
    """What was changed, and how: ``another model answers, and the one asked for is the same``."""
    silent = ", and the one asked for is the same" if change.is_silent else ""
    return PARTS[change.part] + silent + (", back to what it had been" if change.is_return else "")


def between_versions(change: PriorChange) -> str:
    """``2 → 3``; nothing where versions are not counted."""
    known = change.version_before is not None and change.version_after is not None
    return f"{change.version_before} → {change.version_after}" if known else ""


def ago(change: PriorChange) -> str:
    """How long before the run: ``2 d 04 h, 31 runs``; that the run is the first with it."""
    if change.runs_between == 0:
        return "this run is the first with it"
    runs = count(change.runs_between, "run")
    return runs if change.ago_s is None else f"{length(change.ago_s)}, {runs}"


def headline(change: PriorChange) -> str:
    """When and what: ``2 d 04 h, 31 runs: tools changed (2 → 3) [08048e4b]``."""
    between = between_versions(change)
    versions = f" ({between})" if between else ""
    return f"{ago(change)}: {changed_part(change)}{versions} [{change.id[:8]}]"


def sides(change: PriorChange) -> Iterator[str]:
    """What went and what came, each after its sign; a digest where the text is not kept."""
    went = [f"- {text[:_CHARACTERS]}" for text in change.removed]
    came = [f"+ {text[:_CHARACTERS]}" for text in change.added]
    if not went and not came:
        before, after = (_value(change, side) for side in (change.before, change.after))
        yield f"{before} → {after}"
        return
    yield from (*went[:_SIDES], *came[:_SIDES])
    left = len(went[_SIDES:]) + len(came[_SIDES:]) + change.more
    if left:
        yield f"and {left:,} more"


def _value(change: PriorChange, side: str | None) -> str:
    if side is None:
        return "not told"
    return f"{side[:_DIGEST_CHARACTERS]}…" if change.part == "prompt" else side[:_CHARACTERS]
