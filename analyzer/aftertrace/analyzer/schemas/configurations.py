"""The columns of what agents were made of, of what was changed in it, and of what moved after that."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.schemas.timestamp import TIMESTAMP

_WHOSE: Final = {
    "tenant": (pl.String, "tenant"),
    "environment": (pl.String, "deployment environment"),
    "service_name": (pl.String, "service that reported it"),
    "source": (pl.String, "who sent it"),
}

CONFIGURATIONS: Final = {
    "configuration_id": (pl.String, "digest of the agent and of the parts of its configuration"),
    "agent_name": (pl.String, "agent; null where runs do not name it"),
    "version": (pl.Int64, "which configuration of the agent, from 1, by first run; one that comes back keeps it"),
    "agent_version": (pl.String, "agent version"),
    "model": (pl.String, "model asked"),
    "model_served": (pl.String, "model that answered"),
    "system_prompt_digest": (pl.String, "tagged digest of the system prompt of its first run; null is unknown"),
    "template_digest": (pl.String, "digest of the prompt without what differs from run to run; null is unknown"),
    "template": (pl.String, "the prompt so, as far as its text is kept: `⟨date⟩`, `⟨path⟩`, `⟨id⟩` … stand for values"),
    "set_apart": (
        pl.List(pl.String),
        (
            "kinds of what differs from run to run in the prompt; `wording`: lines of it; `whole`: its digest, where "
            "the text is not kept, so that a change of it cannot be told"
        ),
    ),
    "tools_digest": (pl.String, "tagged digest of the tool definitions; null is unknown, or differs from run to run"),
    "tool_names": (pl.List(pl.String), "tools; null is unknown"),
    "policy": (pl.String, "policy that runs began under: id, version and digest as told"),
    "runs": (pl.Int64, "runs that had it"),
    "partial_runs": (
        pl.Int64,
        "runs among them that do not tell every part of it: taken for this version, since they agree in what they tell",
    ),
    "first_run_id": (pl.String, "first run"),
    "last_run_id": (pl.String, "last run"),
    "first_at": (TIMESTAMP, "first seen"),
    "last_at": (TIMESTAMP, "last seen"),
    **_WHOSE,
    "first_ns": (pl.Int64, "first seen"),
}

CONFIGURATION_CHANGES: Final = {
    "change_id": (pl.String, "digest of the agent, the part, and the run that had it first"),
    "changed_at": (TIMESTAMP, "when the first run with it began"),
    "agent_name": (pl.String, "agent; null where runs do not name it"),
    "part": (
        pl.String,
        (
            "`prompt`, `tools` (added or removed), `tool_schemas` (the same tools, defined otherwise), `model` "
            "(asked), `model_served`, `policy`, `agent_version`"
        ),
    ),
    "before": (pl.String, "what it was; of a prompt the digest of its template, of tools their names"),
    "after": (pl.String, "what it is since"),
    "added": (pl.List(pl.String), "tools added; lines of the prompt added, as far as its text is kept"),
    "removed": (pl.List(pl.String), "tools, or lines of the prompt, removed"),
    "is_silent": (pl.Boolean, "another model answers, and both sides ask for the same one"),
    "is_return": (pl.Boolean, "to what it had been before: rolled back, or brought back"),
    "state": (
        pl.String,
        (
            "`replaced`: the old one is gone; `beside`: both are in use (a rollout under way, an experiment); "
            "`withdrawn`: the new one went, and the old goes on"
        ),
    ),
    "runs": (pl.Int64, "runs that had it, until it went"),
    "overlap_runs": (pl.Int64, "runs that still had the old one after the first with the new one"),
    "overlap_until": (TIMESTAMP, "when the last of these began"),
    "moved": (pl.List(pl.String), "measures that moved after it, as in `change_measures`"),
    "with_parts": (pl.List(pl.String), "other parts that changed at about the same run, so measured together"),
    "version_before": (pl.Int64, "version of the agent's configuration that was in force"),
    "version_after": (pl.Int64, "version of the first run with it"),
    "configuration_before": (pl.String, "its id"),
    "configuration_after": (pl.String, "its id"),
    "last_run_before": (pl.String, "last run with the old one before the first with the new one"),
    "first_run_id": (pl.String, "first run with it"),
    **_WHOSE,
    "first_ns": (pl.Int64, "when the first run with it began"),
}

CHANGE_MEASURES: Final = {
    "change_id": (pl.String, "change"),
    "changed_at": (TIMESTAMP, "when"),
    "agent_name": (pl.String, "agent"),
    "part": (pl.String, "what was changed"),
    "measure": (
        pl.String,
        (
            "`near_misses`, `denials` (of calls that count, as in rates), `errors` (of calls that ran), "
            "`approval_wait` (seconds, median of each run), `tokens` and `cost_usd` (of each run that is over)"
        ),
    ),
    "runs_before": (pl.Int64, "runs that tell it, of the nearest 500 before"),
    "runs_after": (pl.Int64, "runs that tell it, of the nearest 500 with the change"),
    "count_before": (pl.Int64, "calls in them that count; of amounts the runs"),
    "count_after": (pl.Int64, "calls in them that count; of amounts the runs"),
    "before": (pl.Float64, "share of these calls; of amounts the median"),
    "after": (pl.Float64, "share of these calls; of amounts the median"),
    "difference": (pl.Float64, "of the shares; of amounts the shift (Hodges and Lehmann)"),
    "low": (pl.Float64, "lower end of its 95 % interval (Newcombe; of amounts by ranks)"),
    "high": (pl.Float64, "upper end"),
    "p": (pl.Float64, "how likely chance alone is (Fisher; of amounts Mann and Whitney)"),
    "q": (pl.Float64, "the same, corrected for all that is looked at in this table (Benjamini and Hochberg)"),
    "verdict": (
        pl.String,
        (
            "`up` or `down`: q is at most 5 %; `not_shown`; `too_few`: fewer than 5 runs on a side, so not tested; "
            "`not_told`: by no run of a side"
        ),
    ),
    "floor": (pl.Boolean, "an emitter hides some refusals, so that the shares are floors"),
    **_WHOSE,
    "first_ns": (pl.Int64, "when the first run with it began"),
}
