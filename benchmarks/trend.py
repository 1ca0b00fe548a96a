"""Does a series of measurements grow? A least-squares line tells, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SURE: Final = 3.0
"""A slope is told from none when it is so many times its standard error."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through a series."""

    mean: float
    growth: float
    """From the first measurement to the last, along the line."""
    error: float
    """The standard error of `growth`."""

    def grows(self, allowed_share: float) -> bool:
        """Whether it surely grew, and by more than a share of its mean."""
        return self.growth > SURE * self.error and self.growth > allowed_share * self.mean


def trend(values: Sequence[float]) -> Trend:
    """The line through measurements at equal distances; at least three."""
    many = len(values)
    if many < 3:
        raise ValueError(f"{many} measurements, expected at least 3 to see a trend")
    middle, mean = (many - 1) / 2, math.fsum(values) / many
    spread = math.fsum((at - middle) ** 2 for at in range(many))
    slope = math.fsum((at - middle) * (value - mean) for at, value in enumerate(values)) / spread
    left = math.fsum((value - mean - slope * (at - middle)) ** 2 for at, value in enumerate(values))
    return Trend(mean, slope * (many - 1), math.sqrt(left / (many - 2) / spread) * (many - 1))
