"""`docs/EMITTERS.md`: what is seen of each emitter, measured on the recordings of this folder.

``python -m tests.analyzer.seen`` writes the page. A column is a claim about what aftertrace makes of an emitter, so it
is taken from what it made, never from what the emitter's documentation promises.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.analyzer import EMITTERS, Emitter
from aftertrace.analyzer.reports.coverage import runs_by_emitter

from . import frames

PAGE: Final = Path(__file__).parents[2] / "docs" / "EMITTERS.md"
_HEAD: Final = """\
# What is seen of each emitter

Measured on the recordings in `tests/testdata/otlp` and the logs in `tests/testdata/logs`; `make docs` writes it anew. A
number says in how many of an emitter's recordings something is seen of any run: some were made with its switches for
content on, some without, and in some nobody was asked anything. `aftertrace doctor` says the same of your own store,
`aftertrace connect EMITTER` prints the switches.

"""
_CONCEPTS: Final = {
    "runs": ("runs", pl.col("run_id")),
    "proposals": ("calls", pl.col("proposed_at")),
    "who decided": ("calls", pl.col("decided_by")),
    "let through by": ("calls", pl.col("allowed_by")),
    "permission mode": ("calls", pl.col("permission_mode")),
    "waits": ("approvals", pl.col("wait_ns")),
    "arguments": ("calls", pl.col("arguments")),
    "prompt": ("runs", pl.col("system_prompt_digest")),
    "tools": ("runs", pl.col("tools_available")),
    "model asked": ("runs", pl.col("model")),
    "model served": ("runs", pl.col("model_served")),
    "tokens": ("runs", pl.col("input_tokens")),
    "cost": ("runs", pl.col("cost_usd")),
    "user": ("runs", pl.col("user_id")),
}
"""By column: the derived table and the column that say that it is seen."""


def text() -> str:
    """The whole page."""
    seen: dict[str, list[set[str]]] = {}
    for path in (*sorted(frames.RECORDINGS.glob("*/*.otlp.jsonl")), *sorted(frames.LOGS.glob("*/*.json*"))):
        analysis = frames.of_files(path).analysis() if path.is_relative_to(frames.LOGS) else frames.told_of(path)
        for emitter, runs in runs_by_emitter(analysis):
            mine = {
                table: analysis.select(table).join(runs, on="run_id", how="semi")
                for table in ("runs", "calls", "approvals")
            }
            seen.setdefault(emitter.name, []).append(
                {name for name, (table, column) in _CONCEPTS.items() if mine[table].select(column.count()).item()}
            )
    known = [emitter for emitter in EMITTERS if emitter.name in seen]
    return _HEAD + _table(known, seen) + "\n" + "\n".join(_switches(emitter) for emitter in known)


def _table(known: list[Emitter], seen: dict[str, list[set[str]]]) -> str:
    lines = [f"| emitter | recordings | {' | '.join(_CONCEPTS)} |", "|---|--:|" + "--:|" * len(_CONCEPTS)]
    for emitter in known:
        told = seen[emitter.name]
        cells = [sum(name in each for each in told) for name in _CONCEPTS]
        lines.append(
            f"| [{emitter.name}](#{emitter.name}) | {len(told)} | {' | '.join(str(cell or '–') for cell in cells)} |"
        )
    return "\n".join(lines) + "\n"


def _switches(emitter: Emitter) -> str:
    lines = [f"## {emitter.name}\n", f"{emitter.title}, observed in {emitter.observed}. {emitter.note}\n"]
    for question, switch in emitter.gives.items():
        lines.append(f"- {question.replace('_', ' ')}: " + (switch or "never told"))
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
