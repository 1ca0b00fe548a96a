"""A receiver on free loopback ports in front of a real write-ahead log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aftertrace.store.folder import open_folder

from .authority import Authority
from .station import Station


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A fresh authority."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Authority(folder)


@pytest.fixture
def open_station(tmp_path: Path) -> Iterator[Callable[..., Station]]:
    """Opens stations on one data folder each; all are closed at the end."""
    opened: list[Station] = []

    def open_one(**settings: object) -> Station:
        station = Station(open_folder(tmp_path / f"data-{len(opened)}"), **settings)
        opened.append(station)
        return station

    yield open_one
    for station in opened:
        station.close()


@pytest.fixture(scope="module")
def shared_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """One station for all tests of a module: starting is quick, stopping takes a fifth of a second."""
    station = Station(open_folder(tmp_path_factory.mktemp("receiver") / "data"))
    yield station
    station.close()


@pytest.fixture
def station(shared_station: Station) -> Station:
    """A station with the settings that users get, apart from the ports; nothing is kept yet."""
    shared_station.forget()
    return shared_station
