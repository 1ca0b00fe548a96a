"""Configurations: what an agent was made of, as versions: agent version, models, system prompt, tools and policy."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from typing import Final, TypeAlias

import polars as pl

from aftertrace.analyzer.configurations.settled import PARTS
from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP

SCHEMA: Final = DERIVED["configurations"].schema
_Parts: TypeAlias = tuple[str | None, ...]


def versioned(settled: pl.DataFrame) -> pl.DataFrame:
    """The settled sightings with `version`, `configuration_id` and `is_partial`: whether the run tells less than it.

    A run that tells less than others, and nothing else than they do, had the latest of them that had begun by then:
    unknown against known is no change.
    """
    agents = [_versioned(agent) for agent in settled.partition_by(ROLE, maintain_order=True)]
    added = {"version": pl.Int64, "configuration_id": pl.String, "is_partial": pl.Boolean}
    return pl.concat(agents) if agents else settled.clear().with_columns(
        pl.lit(None, dtype=kind).alias(name) for name, kind in added.items()
    )  # fmt: skip


def configurations(versioned: pl.DataFrame) -> pl.DataFrame:
    """One row per version of an agent, columns as in `SCHEMA`, by agent and first run; none for what tells nothing."""
    told = pl.any_horizontal(pl.col("agent_name", *PARTS).is_not_null())
    own = (
        versioned.filter(told)
        .sort("is_partial", "first_ns", "run_id", nulls_last=True)
        .group_by("configuration_id", maintain_order=True)
        .first()
        .with_columns(template_digest=_tagged("prompt"), tools_digest="tool_schemas")
    )
    seen = (
        versioned.sort("first_ns", "run_id", nulls_last=True)
        .group_by("configuration_id")
        .agg(
            pl.len().cast(pl.Int64).alias("runs"),
            pl.col("is_partial").sum().cast(pl.Int64).alias("partial_runs"),
            pl.col("run_id").first().alias("first_run_id"),
            pl.col("run_id").last().alias("last_run_id"),
            pl.col("first_ns").min(),
            pl.col("first_ns").max().alias("last_ns"),
        )
        .with_columns(first_at=pl.col("first_ns").cast(TIMESTAMP), last_at=pl.col("last_ns").cast(TIMESTAMP))
    )
    return (
        own.drop("first_ns")
        .join(seen, on="configuration_id", how="left")
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("agent_name", *(name for name in ROLE if name != "agent_name"), "version")
    )


def _tagged(part: str) -> pl.Expr:
    return pl.concat_str([pl.lit("sha256:"), pl.col(part)])


def _versioned(agent: pl.DataFrame) -> pl.DataFrame:
    told: list[_Parts] = list(agent.select(PARTS).iter_rows())
    had = _had(told)
    versions = {each: version for version, each in enumerate(dict.fromkeys(had), start=1)}
    role = agent.select(ROLE).row(0)
    ids = {each: _digest((*role, *each)) for each in versions}
    return agent.with_columns(
        pl.Series("version", [versions[each] for each in had], dtype=pl.Int64),
        pl.Series("configuration_id", [ids[each] for each in had], dtype=pl.String),
        pl.Series("is_partial", [each != own for each, own in zip(had, told, strict=True)], dtype=pl.Boolean),
    )


def _had(told: list[_Parts]) -> list[_Parts]:
    """What each run had: what it tells; where others tell more and nothing else, the latest before it, or the next.

    Looked up by what a run tells, not by comparing all with all: a hostile sender has a new version in every run.
    """
    known = {each: _known(each) for each in set(told)}
    wider = {own: [other for other in set(known.values()) if own < other] for own in set(known.values())}
    covered = {
        own: {_only(each, own) for each, parts in known.items() if parts in others} for own, others in wider.items()
    }
    lesser = {each for each, own in known.items() if _only(each, own) in covered[own]}
    at: dict[tuple[frozenset[int], _Parts], list[int]] = {}
    for own in {known[each] for each in lesser}:
        for position, each in enumerate(told):
            if each not in lesser and own < known[each]:
                at.setdefault((own, _only(each, own)), []).append(position)
    return [
        told[_nearest(at[known[each], each], position)] if each in lesser else each
        for position, each in enumerate(told)
    ]


def _known(each: _Parts) -> frozenset[int]:
    return frozenset(nth for nth, part in enumerate(each) if part is not None)


def _only(each: _Parts, known: frozenset[int]) -> _Parts:
    return tuple(part if nth in known else None for nth, part in enumerate(each))


def _nearest(positions: list[int], at: int) -> int:
    """The last of them before `at`, else the first."""
    return positions[max(0, bisect_right(positions, at) - 1)]


def _digest(parts: tuple[str | None, ...]) -> str:
    written = "\x1f".join("\x00" if part is None else part for part in parts)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:16]
