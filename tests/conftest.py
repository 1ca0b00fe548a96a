"""What holds for all tests: Hypothesis sets no time limit per example, since a busy machine is no fault of the code;
and the files that take long are begun first, so that no worker is left alone with one of them at the end.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("aftertrace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("aftertrace")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Among several workers, which take whole files in the order given: those with a `slow` test come first."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)
