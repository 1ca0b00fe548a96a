"""Recorded agents sent to a real `serve`, as clients do that send again: the same scores from its tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.cli.served import serving

from aftertrace.analyzer import open_analysis

from . import corpus
from .frames import LATER_NS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(corpus.missing() is not None, reason=str(corpus.missing())),
]


def test_what_a_server_stored_scores_as_what_was_sent(tmp_path: Path) -> None:
    """Two and more connections at once, a tenth of the requests twice, out of order, logs and traces."""
    options = [
        *corpus.Variant("mixed").options,
        *corpus.NOISE,
        *("--duplicate-rate", "0.1", "--sets", "tau_bench,agentdyn", "--limit", "160"),
    ]
    corpus.convert(tmp_path, options)
    expected = corpus.read(tmp_path).analysis(LATER_NS).calls
    with serving(tmp_path / "data", "--no-dashboard") as served:
        corpus.send(tmp_path, options, served.ready["http"])
    calls = open_analysis(tmp_path / "data", now_ns=LATER_NS).calls
    cells, scored = corpus.score(tmp_path, calls)
    assert [cell for cell in cells if not cell.holds] == []
    assert (scored["missed"], scored["extra"], scored["wrong_and_explicit"]) == (0, 0, 0)
    assert outcomes(calls) == outcomes(expected)


def outcomes(calls: pl.DataFrame) -> dict[str, int]:
    """How many calls of each outcome there are."""
    return dict(calls.group_by("outcome").len().sort("outcome").iter_rows())
