"""Did the level move while it was measured?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.statistics.quantiles import median
from providers.statistics.ranks import mann_whitney

SMALLEST_HALF = 4


@dataclass(frozen=True, slots=True)
class Drift:
    """``ratio``: median of the second half over that of the first; ``p``: Mann-Whitney."""

    ratio: float
    p: float


def drift(values: Sequence[float]) -> Drift | None:
    """Of positive values in the order in which they were measured; None below two times four.

    Intervals and tests take values for independent of each other; a small p says that they are
    not.
    """
    half = len(values) // 2
    if half < SMALLEST_HALF or min(values) <= 0:
        return None
    first, second = values[:half], values[-half:]
    return Drift(median(second) / median(first), mann_whitney(first, second).p)
