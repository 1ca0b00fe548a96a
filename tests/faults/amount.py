"""How much of the faults a run goes through: a selection in `make test`, more in `make faults`, all of it in FULL."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Case = TypeVar("Case")

SEED: Final = int(os.environ.get("SEED", "1"))
"""Chooses instants and selections."""
_AMOUNT: Final = os.environ.get("FAULTS", "quick")
IS_WHOLE: Final = _AMOUNT == "full"
"""Whether all of it is to run."""


def amount(quick: int, usual: int, full: int) -> int:
    """How many, by the environment: FAULTS is `quick` where it is not set, or `usual`, or `full`."""
    return {"quick": quick, "usual": usual, "full": full}[_AMOUNT]


def selection(cases: Sequence[Case], quick: int, usual: int) -> list[Case]:
    """So many of the cases, chosen by `SEED` and in their order; all of them where everything is to run."""
    wanted = min(len(cases), amount(quick, usual, len(cases)))
    chosen = random.Random(SEED).sample(range(len(cases)), wanted)
    return [cases[number] for number in sorted(chosen)]
