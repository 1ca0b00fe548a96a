"""`provenance`: a system of record held against the runs of the store, with an exit code for CI."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import click

from aftertrace.cli import formats, provenance_page, settings
from aftertrace.cli.filters import chosen, filter_options
from aftertrace.cli.output import say, text_or_rows
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.analyzer.provenance.actions import Action
    from aftertrace.analyzer.provenance.authors import KnownAgent
    from aftertrace.analyzer.provenance.report import Place

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Form: TypeAlias = Literal["text"] | formats.Format
_SHOWN: Final = ("first_ns", "verdict", "how", "object", "title", "agent", "approved_by", "reviewed_by", "run_id")
FINDINGS: Final = ("no_run", "unknown_run", "not_there")
"""As `analyzer.provenance.FINDINGS`, which brings Polars; a test holds them together."""
EXIT_FOUND: Final = 1
_EPILOG: Final = (
    "Verdicts: run, the action has a run in the store · no_run, an agent's and nothing leads to a run · unknown_run, "
    "it names one that the store does not have · not_there, a run says that it made it and it is not in the records · "
    "unreachable, the same of a commit that was amended, rebased, squashed or never pushed. Exits with 1 where one of "
    "--fail-on is found."
)


@click.group("provenance", short_help="Hold a repository or an export against runs.")
def provenance() -> None:
    """Hold what a system of record says was done against what runs say they did.

    Told are: actions with a run, and how that is known; actions by agents without one; actions that name a run which
    the store does not have; and what runs claim that is not there.
    """


def _options(command: _Function) -> _Function:
    for option in (
        settings.data_option,
        text_or_rows,
        click.option(
            "--fail-on",
            "fail_on",
            type=click.Choice((*FINDINGS, "unreachable")),
            multiple=True,
            default=FINDINGS,
            show_default=True,
            help="Exit with 1 where this is found; can be given several times.",
        ),
        click.option(
            "--known-agent",
            "known_agents",
            metavar="NAME=PATTERN",
            multiple=True,
            help="One more agent, by `Name <address>` of an author, committer or co-author, or by a login; `*` and "
            "`?` stand for anything, in any case. Can be given several times.",
        ),
        filter_options(("tenant", "time")),
    ):
        command = option(command)
    return command


@provenance.command("git", short_help="Scan the history of a git repository.", epilog=_EPILOG)
@click.argument("path", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@_options
def of_git(path: Path, **options: Any) -> int:
    """Scan the commits of all branches and tags of the repository in PATH (default: here).

    A commit has a run where a receipt names it, where its trailers name the run (`Aftertrace-Run`) or its conversation
    (`Aftertrace-Conversation`, see `aftertrace git-hook`), or, inferred, where the result of the tool call that made it
    tells so. Agents are told from people by authors, committers, co-authors and marks in the message. Nothing of the
    repository is run, and nothing is fetched.
    """
    from aftertrace.analyzer.provenance.claims import project_of
    from aftertrace.analyzer.provenance.commits import commit
    from aftertrace.analyzer.provenance.report import Place
    from aftertrace.cli.git_repository import Repository

    repository = Repository(path).checked()
    place = Place(
        name=str(path),
        kinds=frozenset({"commit"}),
        projects=frozenset(name for address in repository.remotes() if (name := project_of(address)) is not None),
        branches=repository.branches(),
        is_whole=not repository.is_shallow(),
        since_ns=options["since"],
        until_ns=options["until"],
    )
    history = (commit(digits, stored) for digits, stored in repository.commits())
    return _told(history, place, kept=repository.stored, **options)


@provenance.command("github-json", short_help="Scan an export of GitHub's API.", epilog=_EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@_options
def of_github(files: tuple[Path, ...], **options: Any) -> int:
    """Scan pull requests, issues and commits as `gh api --paginate` or `gh pr list --json` write them; `-` is standard
    input.

    With `gh pr list --state all --limit 1000 --json number,title,body,url,author,createdAt,mergedAt,reviews,commits`
    it is told who approved the pull request, beside who approved the tool call: two answers. What a run claims is held
    against the export where it is of a repository and a kind that the export has, and was claimed after the first thing
    in it and before its file was written.
    """
    from aftertrace.analyzer.provenance import github_export

    told = [value for file in files for value in github_export.values(_read(file), str(file))]
    found = github_export.actions(told)
    place = _place(
        files,
        found,
        options,
        kinds=github_export.kinds(told),
        projects=frozenset(name for each in found if (name := github_export.project_of_action(each)) is not None),
        has_reviews=github_export.tells_reviews(told),
    )
    return _told(found, place, **options)


@provenance.command("csv", short_help="Scan a CSV export of any system of record.", epilog=_EPILOG)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--system", metavar="NAME", required=True, help="The system, as receipts name it (`aftertrace effects`).")
@click.option("--id", "id_column", metavar="COLUMN", required=True, help="Holds the id of the row's object.")
@click.option("--run-id", "run_column", metavar="COLUMN", help="Holds the run that did it.")
@click.option("--receipt", "receipts", metavar="COLUMN", multiple=True, help="Holds a receipt's id, or an address.")
@click.option("--time", "time_column", metavar="COLUMN", help="Holds when: ISO 8601, or a Unix time in any unit.")
@click.option("--author", "authors", metavar="COLUMN", multiple=True, help="Holds who did it.")
@click.option("--text", "texts", metavar="COLUMN", multiple=True, help="Holds a text that may name a run on a line.")
@click.option("--approver", "approvers", metavar="COLUMN", multiple=True, help="Holds who approved it there.")
@_options
def of_csv(
    file: Path,
    system: str,
    id_column: str,
    run_column: str | None,
    receipts: tuple[str, ...],
    time_column: str | None,
    authors: tuple[str, ...],
    texts: tuple[str, ...],
    approvers: tuple[str, ...],
    **options: Any,
) -> int:
    """Scan a CSV export in UTF-8 with a header, one row per thing that was done; `-` is standard input.

    A row has a run where its column or a line of its texts names it, or where a receipt names its object.
    """
    from aftertrace.analyzer.provenance import csv_export

    columns = csv_export.Columns(
        id=id_column, run=run_column, receipt=receipts, time=time_column, author=authors, text=texts,
        reviewer=approvers,
    )  # fmt: skip
    lines = _read(file).splitlines(keepends=True)
    found = list(csv_export.actions(lines, columns, system, str(file)))
    place = _place(
        (file,),
        found,
        options,
        system=system,
        has_reviews=bool(approvers),
        kinds=frozenset({"object", "commit", "pull_request", "issue"}),
    )
    return _told(found, place, **options)


def _place(files: tuple[Path, ...], found: list[Action], options: dict[str, Any], **known: Any) -> Place:
    """An export: it holds what was done from its first action on, until its files were written."""
    from aftertrace.analyzer.provenance.report import Place

    written = [file.stat().st_mtime_ns for file in files if str(file) != "-"]
    return Place(
        name=", ".join(map(str, files)),
        since_ns=options["since"],
        until_ns=options["until"],
        begins_ns=min((action.at_ns for action in found if action.at_ns is not None), default=None),
        ends_ns=min(written, default=None),
        **known,
    )


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"read {file}: byte {error.start} is no UTF-8; export it in UTF-8") from error


def _told(
    actions: Iterable[Action],
    place: Place,
    *,
    data: Path,
    form: _Form,
    out: Path | None,
    limit: int | None,
    fail_on: tuple[str, ...],
    known_agents: tuple[str, ...],
    kept: Callable[..., frozenset[str]] = lambda _: frozenset(),
    **options: Any,
) -> int:
    from aftertrace.analyzer import Filter
    from aftertrace.analyzer.provenance.authors import AGENTS
    from aftertrace.analyzer.provenance.claims import claims
    from aftertrace.analyzer.provenance.named_runs import Known
    from aftertrace.analyzer.provenance.report import provenance as held

    agents = (*_agents(known_agents), *AGENTS)
    analysis = settings.analysis(settings.readable(data))
    of_tenant = Filter(tenant=chosen(options).tenant)
    known = Known(analysis.select("runs", of_tenant))
    report = held(actions, place, claims(analysis, of_tenant), known, agents=agents, kept=kept)
    if form == "text":
        say(provenance_page.lines(report), out)
    else:
        rows = report.rows if limit is None else report.rows.head(limit)
        formats.write(rows, form, shown=_SHOWN, out=out)
    return EXIT_FOUND if any(report.count(verdict) for verdict in fail_on) else 0


def _agents(given: tuple[str, ...]) -> list[KnownAgent]:
    from aftertrace.analyzer.provenance.authors import KnownAgent

    found = []
    for text in given:
        name, _, pattern = text.partition("=")
        if not name.strip() or not pattern.strip():
            raise Invalid(f"--known-agent {text!r}: expected NAME=PATTERN, such as 'Fixer=* <fixer@example.com>'")
        found.append(KnownAgent(name.strip(), (pattern.strip(),)))
    return found
