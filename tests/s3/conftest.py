"""A bucket on a real S3 server, for the tests of lakes that are in one."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from s3.gateway import BUCKET, CannotBuild, binary, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from s3.gateway import Server


@pytest.fixture(scope="session")
def s3_program() -> Path:
    """The server's binary. Tests that need it are skipped, with the reason, where none can be made."""
    if importlib.util.find_spec("obstore") is None:
        pytest.skip("NO OBSTORE, lakes in buckets are not tested: pip install 'aftertrace[s3]'")
    try:
        return binary()
    except CannotBuild as reason:
        pytest.skip(f"NO S3 SERVER, lakes in buckets are not tested: {reason}")


@pytest.fixture(scope="session")
def s3_server(s3_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all: clients keep what they know of a bucket."""
    with running(s3_program, tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with a bucket, known to this process and to those that it starts."""
    for name, text in s3_server.environment.items():
        monkeypatch.setenv(name, text)
    return s3_server


@pytest.fixture
def url(s3: Server, tmp_path: Path) -> str:
    """Of a place in the bucket where there is nothing yet."""
    return f"s3://{BUCKET}/{tmp_path.name}/tables"
