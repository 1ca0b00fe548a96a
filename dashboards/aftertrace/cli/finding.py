"""`find` and `related`: from a thing in the outside world to the runs, and from one run to others like it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import NARROWING, chosen, filter_options, opened
from aftertrace.cli.output import output_options
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer import Analysis, Filter

_FILTERS: Final = (
    *("agent", "tool", "outcome", "decided_by", "reviewer"),
    *NARROWING,
    *("tenant", "environment", "time", "run"),
)
_FOUND: Final = ("first_ns", "of", "tool_name", "outcome", "field", "snippet", "basis", "agent_name", "run_id")
_RELATED: Final = ("how", "what", "basis", "first_ns", "agent_name", "state", "calls", "near_misses", "run_id")


@click.command(short_help="Find the run behind a PR, a commit, a row or a text.")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option(
    "--repo",
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Look TEXT up as a commit of this git repository too, for the runs that its trailers name.",
)
@filter_options(_FILTERS)
@output_options
@settings.data_option
def find(
    texts: tuple[str, ...],
    repo: Path | None,
    data: Path,
    form: formats.Format,
    out: Path | None,
    limit: int | None,
    **options: Any,
) -> None:
    """Find what led to something: a pull request, commit, ticket, row, URL, message id, person, error or argument.

    TEXT is looked for in receipts, arguments, results, reasons, what reviewers saw, inputs, ids and names, in any case;
    of several, all must stand in one of them. Without TEXT, all that the filters let through. The latest come first,
    each with the field and what stands around it. A commit is found by its first seven digits, a pull request by its
    address or as `owner/name#12`; a number is not found within a longer one. `explicit`: a receipt, an argument or an
    id names it; `inferred`: it stands in a result or another text, of which the first 2,048 characters are searched.
    """
    if not texts and not any(value is not None for value in options.values()):
        raise Invalid("find: nothing to look for, expected a text or a filter; see `aftertrace find --help`")
    analysis, wanted = opened(settings.readable(data), options)
    found = analysis.finds(texts, wanted)
    if repo is not None:
        found = _with_commits(found, repo, texts, analysis, wanted)
    if texts and not found.height:
        told = " ".join(texts)
        click.echo(f"nothing on record names {told!r}; `aftertrace losses` tells what never came", err=True)
    formats.write(found if limit is None else found.head(limit), form, shown=_FOUND, out=out)


def _with_commits(
    found: pl.DataFrame, repo: Path, texts: tuple[str, ...], analysis: Analysis, wanted: Filter
) -> pl.DataFrame:
    """What the trailers of commits lead to, before all else."""
    import polars as pl

    from aftertrace.analyzer.provenance.commit_finds import commit_finds
    from aftertrace.analyzer.provenance.commits import commit
    from aftertrace.cli.git_repository import Repository

    commits = [commit(*told) for told in Repository(repo).checked().commits_named(texts)]
    named, unknown = commit_finds(analysis, commits, wanted)
    for ident in unknown:
        click.echo(f"the commit names {ident!r}, and no run on record is called so", err=True)
    return pl.concat([named, found])


@click.command(short_help="Find runs that share something with one.")
@click.argument("run_id", metavar="RUN_ID|last")
@filter_options(("agent", "tenant", "environment", "time"))
@output_options
@settings.data_option
def related(run_id: str, data: Path, form: formats.Format, out: Path | None, limit: int | None, **options: Any) -> None:
    """Find the blast radius of a run: others that changed the same object, made the same call, rest on the same input,
    or had an agent in the same version of its configuration. RUN_ID is as for `aftertrace run`; what was changed comes
    first, then the latest.
    """
    analysis = settings.analysis(settings.readable(data))
    found = analysis.related(analysis.resolve_run(run_id), chosen(options))
    if not found.height:
        click.echo(f"no other run on record shares anything with {run_id!r}", err=True)
    formats.write(found if limit is None else found.head(limit), form, shown=_RELATED, out=out)
