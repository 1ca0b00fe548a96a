"""Which records terms by agents and tags are for: agents as the analysis tells of them, tags as records state them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aftertrace.cli import settings
from aftertrace.cli.held import records_of
from aftertrace.store.errors import Invalid
from aftertrace.store.retention.policy import Policy, Terms, policy

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer import Analysis


def configured() -> Policy:
    """The policy of the configuration. Raises `Invalid`."""
    section = settings.current().retention
    return policy(
        section.evidence_days,
        section.floor_days,
        section.evidence_days_of,
        keeps_configurations=section.keep_configurations,
    )


def content_days() -> int:
    """The term of large contents. Raises `Invalid`."""
    days = settings.current().retention.content_days
    if days < 0:
        raise Invalid(f"configure retention.content_days: {days}, expected a number of days; 0: as long as records")
    return days


def are_of_records(terms: Terms) -> bool:
    """Whether the analysis has to say which records some of them are for."""
    return any(term.of in ("agent", "tag") for term in terms.others)


def named_records(analysis: Analysis, terms: Terms) -> pl.DataFrame:
    """Records with terms by agents and tags, columns as in `named.NAMED`."""
    from aftertrace.store.retention.named import together

    return together([*_of_agents(analysis, terms), *_of_tags(analysis, terms)])


def _of_agents(analysis: Analysis, terms: Terms) -> Iterator[pl.DataFrame]:
    from aftertrace.store.retention.named import named

    if not any(term.of == "agent" for term in terms.others):
        return
    agents = analysis.agents.select("run_id", "agent_name").drop_nulls().unique()
    for (name,), of_name in agents.group_by("agent_name"):
        if term := terms.of("agent", str(name)):
            yield named(records_of(analysis, of_name["run_id"]), term)


def _of_tags(analysis: Analysis, terms: Terms) -> Iterator[pl.DataFrame]:
    from aftertrace.analyzer.finding.tags import tagged
    from aftertrace.store.retention.named import named

    for key in dict.fromkeys(term.key for term in terms.others if term.of == "tag"):
        for (value,), places in tagged(analysis, key).group_by("value"):
            if term := terms.of("tag", str(value), key):
                yield named(places, term)
