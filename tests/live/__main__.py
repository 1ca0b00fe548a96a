"""`python -m tests.live [NAME ...]`: install real agents, run them against a real `serve`, compare with the truth.

Exit codes: 0 every case that ran is right · 1 one is not · 2 nothing is called so · 3 none could run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import cases, comparison, installation, page, program, recording
from .agent import Agent
from .installation import Skipped
from .page import Row
from .station import Station, station


def main(arguments: Sequence[str]) -> int:
    """Run the cases that are asked for, one after another, and write the page."""
    asked = _parser().parse_args(arguments)
    agents = cases.chosen(asked.names)
    if not agents:
        print(f"no case begins with {' or '.join(asked.names)}; there are:", *(agent.name for agent in cases.ALL))
        return 2
    rows: list[Row] = []
    for agent in agents:
        rows.append(_row(agent, asked.cache.absolute(), asked.record, keep=asked.keep))
        if asked.page:
            page.write(asked.page, rows[-1:], [each.name for each in cases.ALL])
    wrong = [row.name for row in rows if row.calls is not None and not _is_right(row)]
    skipped = [row.name for row in rows if row.calls is None]
    print(
        f"{len(rows)} cases: {len(rows) - len(wrong) - len(skipped)} right, {len(wrong)} wrong, {len(skipped)} skipped"
    )
    for what, names in (("WRONG", wrong), ("SKIPPED", skipped)):
        for name in names:
            print(f"  {what} {name}")
    if len(skipped) == len(rows):
        return 3
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.live", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases whose names begin so; all by default")
    parser.add_argument("--cache", type=Path, default=Path(".live"), help="where agents are installed [.live]")
    parser.add_argument("--record", type=Path, metavar="DIR", help="write what each case exported, trimmed")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="the page to write [docs/LIVE.md]")
    parser.add_argument("--no-page", dest="page", action="store_const", const=None, help="write no page")
    parser.add_argument("--keep", action="store_true", help="keep each case's folder, and say where it is")
    return parser


def _row(agent: Agent, cache: Path, record: Path | None, *, keep: bool) -> Row:
    version = agent.installation.version
    print(f"{agent.name} ({version}) ...", flush=True)
    try:
        folder = installation.installed(agent, cache)
    except Skipped as reason:
        print(f"  SKIPPED: {reason}")
        return Row(agent.name, version, None, None, None, f"not run: {reason}")
    scratch = Path(tempfile.mkdtemp(prefix="aftertrace-live-"))
    try:
        return _tried(agent, folder, scratch, record)
    finally:
        if keep:
            print(f"  kept: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)


def _tried(agent: Agent, folder: Path, scratch: Path, record: Path | None) -> Row:
    tool_log = scratch / "tools.txt"
    with station(scratch / "data") as served:
        places = program.Places(
            http=served.http,
            grpc=served.grpc,
            bin=str(installation.binaries(agent.installation, folder)),
            installed=str(folder),
            scratch=str(scratch),
            live=str(Path(__file__).parent),
        )
        ended = program.run(agent, places, tool_log)
    if ended.code != 0:
        print(f"  the program ended with {ended.code}:\n{ended.output}")
        return Row(
            agent.name,
            agent.installation.version,
            len(agent.calls),
            0,
            0,
            f"wrong: the program ended with {ended.code}",
        )
    ran = tool_log.read_text(encoding="utf-8").split() if tool_log.exists() else []
    verdict = comparison.compare(agent, served.calls(), len(served.runs()), ran if agent.logs_tools else None)
    for fault in verdict.faults:
        print(f"  WRONG {fault}")
    for reason in verdict.untold:
        print(f"  not told: {reason}")
    if record is not None:
        _record(agent, served, places, record)
    remarks = [*(f"wrong: {fault}" for fault in verdict.faults), *(f"not told: {item}" for item in verdict.untold)]
    counted = (verdict.calls, verdict.right, verdict.in_part)
    return Row(agent.name, agent.installation.version, *counted, "; ".join(dict.fromkeys(remarks)))


def _record(agent: Agent, served: Station, places: program.Places, folder: Path) -> None:
    names = {places.installed: "/home/user/.venv", f"{places.scratch}/home": "/home/user", places.scratch: "/var/tmp"}
    names |= {places.live: "/home/user/project", str(program.ROOT): "/home/user/project"}
    path = folder / f"{agent.name}.otlp.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    written = recording.lines(served.exported(), names)
    path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
    print(f"  recorded {len(written)} requests: {path}")


def _is_right(row: Row) -> bool:
    return "wrong: " not in row.remarks and row.calls == (row.right or 0) + (row.in_part or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
