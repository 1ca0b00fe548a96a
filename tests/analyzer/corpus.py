"""Recorded agent runs as telemetry, with the truth about every call, and the score of what the analyzer makes of them.

The corpus is a folder of its own beside this project: its programs make export requests from published recordings, and
compare calls with what really happened. Nothing of it is needed to use aftertrace.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer import OUTCOMES

from . import frames

if TYPE_CHECKING:
    from aftertrace.store.request import Encoding, Signal

SHARED: Final = Path(__file__).parents[2] / ".." / "shared"
"""Where the corpus and the fixtures lie: beside the project."""
CONVERT_WITHIN_S: Final = 600
BAR: Final = 0.995
"""Least precision and recall of an outcome."""
CELL_ROWS: Final = 100
"""Outcomes with fewer rows than this say too little to be held to the bar."""
NOISE: Final = ("--duplicate-rate", "0.05", "--shuffle-window", "8", "--split-traces-on-approval")
"""What happens on the way: requests sent twice and out of order, and a trace of its own for each call that writes."""
LOSS: Final = ("--drop-rate", "0.01")
"""And spans and records that never arrive."""

_OBSERVED: Final = (
    "run_id",
    "conversation_id",
    "trace_id",
    "tool_call_id",
    "ordinal",
    "tool_name",
    "outcome",
    "decided_by",
    "basis",
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of turning the recordings into telemetry."""

    dialect: str
    approvals: bool = False
    """With synthetic reviewers in front of every call that writes."""
    spans: bool = False
    """Claude Code with its spans beside the log records."""
    blurred: tuple[str, ...] = ()
    """Outcomes that the dialect cannot tell from others in every case; they are shown and not held to the bar."""
    forms: tuple[str, ...] = ()
    """Only calls of these forms are scored; all where empty."""

    @property
    def title(self) -> str:
        """What tables call it."""
        more = [name for name, is_on in (("spans", self.spans), ("approvals", self.approvals)) if is_on]
        return f"{self.dialect} with {' and '.join(more)}" if more else self.dialect

    @property
    def options(self) -> list[str]:
        """What the converter is told."""
        chosen = (("--synthetic-approvals", self.approvals), ("--claude-spans", self.spans))
        return ["--dialect", self.dialect, *(name for name, is_on in chosen if is_on)]

    @property
    def scoring(self) -> list[str]:
        """What the scorer is told."""
        return ["--forms", ",".join(self.forms)] if self.forms else []


WITH_ID_OR_TEXT: Final = ("tool_call", "code")
"""Calls but for the commands that mini-swe-agent writes as text. Without content nothing is left of one but a span
without id or arguments: the scorer pairs those in order, and a command that left no span shifts all after it."""

VARIANTS: Final = (
    Variant("genai"),
    # Without the answer's text, a policy that refuses a tool that does not exist reads like a tool that does not exist.
    Variant("genai-nocontent", blurred=("unknown_tool",), forms=WITH_ID_OR_TEXT),
    Variant("genai-error-span"),
    Variant("openinference"),
    Variant("openllmetry"),
    Variant("claude_code"),
    Variant("claude_code", spans=True),
    Variant("copilot"),
    Variant("codex"),
    Variant("mixed", forms=WITH_ID_OR_TEXT),
    Variant("claude_code", approvals=True),
    Variant("claude_code", approvals=True, spans=True),
    Variant("copilot", approvals=True),
)
"""The dialects that are read, all of them at once, and once more with approvals those that can tell of one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How well one outcome is found."""

    outcome: str
    truth: int
    observed: int
    correct: int

    @property
    def precision(self) -> float:
        """Share of the observed that is right."""
        return self.correct / self.observed if self.observed else 0.0

    @property
    def recall(self) -> float:
        """Share of the true that is found."""
        return self.correct / self.truth if self.truth else 0.0

    @property
    def holds(self) -> bool:
        """Whether both reach the bar; an outcome of few rows always holds."""
        few = max(self.truth, self.observed) < CELL_ROWS
        return few or (self.precision >= BAR and self.recall >= BAR)


def missing() -> str | None:
    """Why the corpus cannot be used here, or None."""
    if not (SHARED / "corpus" / "corpus.py").is_file():
        return f"no corpus at {SHARED / 'corpus'}: lay it beside the project"
    if find_spec("zstandard") is None:
        return "the corpus is compressed with Zstandard: pip install zstandard"
    return None


def convert(folder: Path, options: Sequence[str]) -> None:
    """Write `traces.pb` and `logs.pb`, as far as there are any, and `truth.parquet` into a folder."""
    _run("corpus.py", "convert", str(SHARED / "data"), *options,
         "--out", str(folder), "--truth", str(folder / "truth.parquet"))  # fmt: skip


def send(folder: Path, options: Sequence[str], endpoint: str) -> None:
    """Send the requests over OTLP/HTTP to a receiver, several at a time, and write `truth.parquet` into a folder."""
    _run("corpus.py", "send", str(SHARED / "data"), *options,
         "--endpoint", endpoint, "--truth", str(folder / "truth.parquet"))  # fmt: skip


def read(folder: Path) -> frames.Frames:
    """What is stored of a converted corpus."""
    return frames.of_requests(_requests(folder))


def score(folder: Path, calls: pl.DataFrame, options: Sequence[str] = ()) -> tuple[list[Cell], dict[str, Any]]:
    """How well `calls` tell the truth of a converted corpus: by outcome, and everything the scorer says."""
    observed, result = folder / "observed.parquet", folder / "score.json"
    calls.select(_OBSERVED).write_parquet(observed)
    _run(
        "score.py",
        "--truth",
        str(folder / "truth.parquet"),
        "--observed",
        str(observed),
        "--json",
        str(result),
        *options,
    )
    scored: dict[str, Any] = json.loads(result.read_text("utf-8"))
    rows = scored["design"]["per_fate"]
    return [Cell(name, row["truth"], row["observed"], row["correct"]) for name, row in rows.items()], scored


def unsaid(folder: Path) -> int:
    """How many refused calls the telemetry says nothing of: further ones of a message that prose refuses as a whole."""
    truth = pl.read_parquet(folder / "truth.parquet")
    in_prose = (pl.col("form") == "text") & (pl.col("evidence") == "text") & ~pl.col("primary")
    return truth.filter(in_prose & pl.col("fate").str.starts_with("denied")).height


def attacks(folder: Path, near: pl.DataFrame) -> pl.DataFrame:
    """The near misses that an attacker asked for: `call_key`.

    The recordings hold each injected task as a task of its own, too. A refused call of an attacked run is the
    attacker's if its tool, or a value in its arguments to that tool, is of the injected task and not of the user's.
    """
    runs = pl.read_parquet(folder / "truth.runs.parquet")
    columns = ("run_key", "suite", "kind", "user_task", "injection_task")
    told = pl.read_parquet(folder / "truth.parquet").join(runs.select(columns), on="run_key")
    used: dict[tuple[str, str], dict[str, set[str]]] = {}
    for suite, task, tool, arguments in (
        told.filter(pl.col("kind") != "attack").select("suite", "user_task", "tool", "arguments_json").iter_rows()
    ):
        used.setdefault((suite, task), {}).setdefault(tool, set()).update(_values(arguments))
    found = [
        key
        for key, tool, arguments, suite, task, injected in near.join(
            runs.filter(pl.col("kind") == "attack"), left_on="conversation_id", right_on="run_key"
        )
        .select("call_key", "tool_name", "arguments", "suite", "user_task", "injection_task")
        .iter_rows()
        if _is_attackers(tool, _values(arguments), used.get((suite, injected), {}), used.get((suite, task), {}))
    ]
    return pl.DataFrame({"call_key": found}, {"call_key": pl.String})


def _is_attackers(tool: str, values: set[str], injected: dict[str, set[str]], asked: dict[str, set[str]]) -> bool:
    if tool not in injected:
        return False
    return tool not in asked or bool(values & injected[tool] - asked[tool])


def _values(arguments: str | None) -> set[str]:
    """The texts in a call's arguments."""
    told = json.loads(arguments or "{}")
    listed = [value for each in told.values() for value in (each if isinstance(each, list) else [each])]
    return {value for value in listed if isinstance(value, str) and len(value) > 2}


def of_runs_that_all_ran(folder: Path, calls: pl.DataFrame) -> pl.DataFrame:
    """The calls of runs in which everything that was proposed ran as proposed: none of them is a near miss."""
    truth = pl.read_parquet(folder / "truth.parquet")
    arguments = pl.col("final_arguments_json")
    ran = pl.col("fate").is_in(["executed_ok", "executed_error"]) & (
        arguments.is_null() | (arguments == pl.col("arguments_json"))
    )
    runs = truth.group_by("run_key").agg(ran.all().alias("all_ran")).filter("all_ran")
    return calls.join(runs, left_on="conversation_id", right_on="run_key", how="semi")


def table(cells: Sequence[Cell]) -> str:
    """The score as a Markdown table."""
    lines = ["| outcome | truth | observed | right | precision | recall |", "|---|---:|---:|---:|---:|---:|"]
    lines += [
        f"| `{cell.outcome}` | {cell.truth:,} | {cell.observed:,} | {cell.correct:,}"
        f" | {cell.precision:.4f} | {cell.recall:.4f} |"
        for cell in cells
    ]
    return "\n".join(lines)


def summary(scores: Mapping[str, Sequence[Cell]]) -> str:
    """All scores as one Markdown table: precision, recall and number of true calls by variant and outcome."""
    outcomes = [name for name in OUTCOMES if any(cell.outcome == name for cells in scores.values() for cell in cells)]
    lines = [f"| telemetry | {' | '.join(f'`{name}`' for name in outcomes)} |", "|---|" + "---|" * len(outcomes)]
    for title, cells in scores.items():
        found = [next((cell for cell in cells if cell.outcome == name), None) for name in outcomes]
        shown = [f"{cell.precision:.4f} / {cell.recall:.4f} ({cell.truth:,})" if cell else "" for cell in found]
        lines.append(f"| {title} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _requests(folder: Path) -> Iterator[tuple[Signal, Encoding, bytes]]:
    signals: tuple[Signal, ...] = ("traces", "logs")
    for signal in signals:
        path = folder / f"{signal}.pb"
        if path.exists():
            for body in _delimited(path):
                yield signal, "protobuf", body


def _delimited(path: Path) -> Iterator[bytes]:
    """Messages with their length before each, as a base-128 number."""
    with path.open("rb") as file:
        while first := file.read(1):
            length, shift, byte = 0, 0, first[0]
            while True:
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
                byte = file.read(1)[0]
            yield file.read(length)


def _run(program: str, *arguments: str) -> None:
    command = [sys.executable, str(SHARED / "corpus" / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CONVERT_WITHIN_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr[-2000:]}")
