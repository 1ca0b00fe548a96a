"""`aftertrace-verify`: verify a packet where nothing else of aftertrace is installed."""

from __future__ import annotations

import argparse
import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.verifier.about import About
from aftertrace.verifier.given import keys_in, notes_in
from aftertrace.verifier.verdicts import Question, exit_code, signed_by
from aftertrace.verifier.verify import PacketReport, verify_packet

EXIT_WRONG_USE: Final = 2
_SHOWN: Final = 200
_OWN: Final = ", a key that came with the packet: give the one that you have from elsewhere by --key"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="aftertrace-verify",
        description="Verify a packet: integrity (is it what was received), completeness (is all of it there that it "
        "says it has) and authenticity (did the key sign it). It needs no network, and changes nothing.",
        epilog="Exit codes: 0 all three hold, 1 one is broken, 2 wrong use, 3 none is broken and not all hold.",
    )
    parser.add_argument("packet", type=Path, metavar="PACKET", help="the file, or the folder that it was unpacked to")
    parser.add_argument(
        "--key", action="append", default=[], metavar="KEY",
        help="the key that signs, as ledger/key had it, or a file with it: from elsewhere than the packet",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint", action="append", default=[], type=Path, metavar="FILE",
        help="a checkpoint that was kept elsewhere: the packet must go on from it",
    )  # fmt: skip
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to write the report")
    options = parser.parse_args(arguments)
    try:
        keys = [key for told in options.key for key in keys_in(told)]
        kept = [note for path in options.checkpoint for note in notes_in(path)]
        report = verify_packet(options.packet, keys, kept)
    except Invalid as refusal:
        return _ended(str(refusal))
    except OSError as failure:
        return _ended(f"{failure.filename or options.packet}: {failure.strerror}")
    for said in [report_json(report)] if options.format == "json" else report_lines(report):
        sys.stdout.write(said + "\n")
    return exit_code(report.verdicts.values())


def report_json(report: PacketReport) -> str:
    """A report as one object."""
    return json.dumps({**report.verdicts, **asdict(report)}, ensure_ascii=True)


def report_lines(report: PacketReport) -> list[str]:
    """A report for people."""
    about = report.about
    said: dict[Question, str] = {
        "integrity": f"{report.records:,} records of {report.requests:,} requests and {report.rows:,} rows are as they "
        f"were stored; {report.withheld:,} records of others are in the packet as hashes only",
        "completeness": f"{report.files:,} files, {_runs(about)}: all that the packet says "
        "it has; that nothing else was stored about them, no packet can show",
        "authenticity": "; ".join(signed_by(log, _OWN) for log in report.logs) or "nothing is signed",
    }
    lines = [] if about is None else [f"{about.kind}: {about.title[:_SHOWN]}", f"as of {about.as_of[:_SHOWN]}"]
    lines += [f"{question:<13} {word:<8} {said[question]}" for question, word in report.verdicts.items()]
    lines += [f"{found.severity:<13} {found.code}  {found.where}: {found.message}" for found in report.findings]
    for missing in about.missing if about else ():
        count = "" if missing.count is None else f"{missing.count:,} "
        lines.append(f"not in it     {count}{missing.what}: {missing.why}")
    return [visible(line) for line in lines]


def visible(text: str) -> str:
    """A text in which nothing steers a terminal or hides: whatever cannot be seen is written as an escape."""
    return "".join(
        letter if letter == " " or unicodedata.category(letter)[0] not in "CZ" else ascii(letter)[1:-1]
        for letter in text
    )


def _runs(about: About | None) -> str:
    number = len(about.runs) if about is not None else 0
    return f"{number:,} run" + ("" if number == 1 else "s")


def _ended(message: str) -> int:
    sys.stderr.write(f"error: {visible(message)}\n")
    return EXIT_WRONG_USE
