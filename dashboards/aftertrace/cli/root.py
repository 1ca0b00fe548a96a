"""The group of all commands, and how any of them ends."""

from __future__ import annotations

import os
import sys
from collections import UserDict
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click

from aftertrace.cli import missing
from aftertrace.cli.settings import Settings
from aftertrace.dashboards.plain import plain
from aftertrace.store.errors import AftertraceError

EXIT_INTERRUPTED: Final = 130
EXIT_BROKEN_PIPE: Final = 141
"""What a shell reports for a program that SIGPIPE ended: `aftertrace calls | head` is not an error."""


_COMMANDS: Final = {
    "demo": "demo:demo",
    "serve": "serve:serve",
    "source": "source:source",
    "connect": "connect:connect",
    "import": "importing:import_files",
    "runs": "listing:runs",
    "calls": "listing:calls",
    "near-misses": "listing:near_misses",
    "approvals": "listing:approvals",
    "decisions": "listing:decisions",
    "losses": "listing:losses",
    "configurations": "listing:configurations",
    "agents": "inventory:agents",
    "inventory": "inventory:inventory",
    "effects": "effects:effects",
    "changes": "changes:changes",
    "check": "check:check",
    "control": "control:control",
    "run": "one_run:run_page",
    "timeline": "timeline:timeline",
    "find": "finding:find",
    "related": "finding:related",
    "compare": "comparing:compare",
    "provenance": "provenance:provenance",
    "git-hook": "git_hook:git_hook",
    "records": "records:records",
    "report": "reporting:report",
    "comment": "commenting:comment",
    "sql": "query:query",
    "status": "status:status",
    "doctor": "doctor:doctor",
    "redact": "redacting:redact",
    "fsck": "integrity:fsck",
    "verify": "verifying:verify",
    "packet": "packet:packet",
    "reads": "reads:reads",
    "readers": "readers:readers",
    "hold": "holding:hold",
    "retention": "scheduling:retention",
    "erase": "erasing:erase",
    "witness": "witnessing:witness",
    "seal": "sealing:seal",
    "drain": "draining:drain",
    "derive": "deriving:derive",
}
"""Every command in the order in which they are needed: its module in this package, and what it is called there."""


class _Imported(UserDict[str, Any]):
    """Commands by name. Each is imported when it is asked for, so that none waits for what only others load."""

    def __getitem__(self, name: str) -> click.Command:
        module, _, called = self.data[name].partition(":")
        command: click.Command = getattr(import_module(f"aftertrace.cli.{module}"), called)
        return command


class InOrder(click.Group):
    """Lists commands in the order in which they are needed, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Names of the commands."""
        return list(self.commands)


@click.group(
    cls=InOrder,
    commands=_Imported(_COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine · 1 damage or findings · 2 wrong use, input or file · 75 try again later.",
)
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration.  [default: $AFTERTRACE_CONFIG, else ./aftertrace.toml if there is one]",
)
@click.version_option(version("aftertrace"), "-V", "--version", message="aftertrace %(version)s")
@click.pass_context
def aftertrace(context: click.Context, file: Path | None) -> None:
    """The audit trail for AI agents, on OpenTelemetry.

    Start with `aftertrace demo`, or with `aftertrace serve` and `aftertrace connect EMITTER`. Every command that reads
    works while `serve` runs, and without it.
    """
    context.obj = Settings(file)


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code. Whatever was raised on purpose has become one line on standard error.
    """
    try:
        # Not `main()`: click would answer a broken pipe with exit code 1.
        with aftertrace.make_context("aftertrace", list(arguments)) as context:
            code = aftertrace.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        return error.exit_code
    except click.UsageError as error:
        hint = f"; see {error.ctx.command_path} --help" if error.ctx is not None else ""
        return _ended(error.format_message().rstrip(".") + hint, error.exit_code)
    except click.ClickException as error:
        return _ended(error.format_message(), error.exit_code)
    except AftertraceError as error:
        return _ended(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("aftertrace"):
            raise
        return _ended(missing(error), 2)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _abandon_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.errno is None:
            # Polars' own, which says all in its text.
            return _ended(str(error), 2)
        if error.filename is None:
            _abandon_output()
        way_out = "; run this as the account that it belongs to" if isinstance(error, PermissionError) else ""
        return _ended(f"{error.filename or 'input or output'}: {error.strerror}{way_out}", 2)
    return code if isinstance(code, int) else 0


def _abandon_output() -> None:
    """Let go of what standard output did not take: Python would complain once more while it flushes it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _ended(message: str, exit_code: int) -> int:
    sys.stderr.write(f"error: {plain(message)}\n")
    return exit_code
