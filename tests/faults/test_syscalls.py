"""The real `serve` under strace: it makes its system calls in the order that an OK and a drain rest on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from faults.kill import spans, wait_drained
from faults.load import Load
from faults.order import judge_answers, judge_commits, judge_removals
from faults.serve import Serve
from faults.syscalls import command, parse

if TYPE_CHECKING:
    from pathlib import Path

    from faults.syscalls import Call

LOAD_S = 1.0


def traced(tmp_path: Path, broken: str | None = None) -> tuple[list[Call], str, int]:
    """The calls of one `serve` under load until all was drained, its data folder, and its number of OKs."""
    log, data = tmp_path / "strace.log", tmp_path / "data"
    under = command(log, text_bytes=65536)
    if under is None:
        pytest.skip("NO STRACE, the order of system calls is not tested: install strace")
    answers = 0
    with Serve(data, changes=(broken,), under=under) as serve:
        # Twice, since the segment of the first start goes in the second.
        for seed in (1, 2):
            serve.start()
            serve.wait_ready()
            with Load(serve, clients=2, seed=seed, pause_s=0.1, first_client=2 * seed) as load:
                time.sleep(LOAD_S)
            assert load.errors == []
            wait_drained(data, spans(load.acknowledged))
            serve.stop()
            answers += len(load.acknowledged) + load.resends
    with log.open(errors="replace") as lines:
        return parse(lines), str(data), answers


@pytest.mark.slow
def test_every_ok_and_every_drain_comes_after_its_syncs(tmp_path: Path) -> None:
    """Bytes, sync, answer; rows, sync, commit, sync, and only then the WAL segment goes."""
    calls, data, ok_count = traced(tmp_path)
    answers, commits, removals = judge_answers(calls), judge_commits(calls, data), judge_removals(calls, data)
    print(f"{answers.steps} of {ok_count} answers, {commits.steps} commits, {removals.steps} removals judged")
    assert answers.violations + commits.violations + removals.violations == []
    assert answers.steps >= ok_count > 0
    assert commits.steps > 0
    assert removals.steps > 0


@pytest.mark.slow
def test_a_missing_sync_is_caught(tmp_path: Path) -> None:
    """Negative control: with fsync stubbed out every answer and every commit is a violation."""
    calls, data, _ = traced(tmp_path, broken="no_fsync")
    answers, commits, removals = judge_answers(calls), judge_commits(calls, data), judge_removals(calls, data)
    assert len(answers.violations) == answers.steps > 0
    assert commits.violations
    assert removals.violations
