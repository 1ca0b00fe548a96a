"""`fsck`: is what is stored what was received?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.output import form_option
from aftertrace.dashboards.plain import plain

EXIT_FINDINGS = 1


@click.command(short_help="Check what is stored.")
@form_option(("table", "json"), "How to write findings.")
@click.option(
    "--repair",
    is_flag=True,
    help="First make lookup files again that are missing or wrong; remove what is there twice.",
)
@settings.data_option
def fsck(data: Path, form: formats.Format, repair: bool) -> int:
    """Check the store: write-ahead log, tables, evidence, large contents and reads against each other.

    Exits with 1 if anything is damaged or missing; what is normal after a crash is only told. Nothing is changed,
    and with `--repair` nothing but files that can be made again from others.
    """
    import polars as pl

    from aftertrace.store import fsck as checks
    from aftertrace.store.layout import Layout

    layout = Layout(settings.existing(data))
    if repair:
        done = checks.repair(layout)
        removed = f", {done.reads} batches of reads removed" if done.reads else ""
        sys.stderr.write(f"{plain(str(data))}: {done.lookups} lookup files made again{removed}\n")
    findings = checks.fsck(layout)
    frame = pl.DataFrame(
        [(finding.severity, finding.code, finding.where, finding.message) for finding in findings],
        schema={"severity": pl.String, "code": pl.String, "where": pl.String, "message": pl.String},
        orient="row",
    )
    if findings or form == "json":
        formats.write(frame, form)
    errors = sum(finding.severity == "error" for finding in findings)
    verdict = f"{errors} errors" if errors else "sound"
    sys.stderr.write(f"{plain(str(data))}: {verdict}, {len(findings) - errors} notes\n")
    return EXIT_FINDINGS if errors else 0
