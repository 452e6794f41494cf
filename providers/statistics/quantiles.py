"""Quantiles, medians and the empirical distribution of one sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

QUANTILE_METHOD = "linear"


def quantile(values: Iterable[float], p: float) -> float:
    """Hyndman-Fan type 7: linear interpolation at ``(n - 1)·p``.

    Raises ValueError for an empty sample, a value that is not finite, or p outside [0, 1].
    """
    return quantile_of_sorted(ordered(values), p)


def median(values: Iterable[float]) -> float:
    return quantile(values, 0.5)


def quantile_of_sorted(values: Sequence[float], p: float) -> float:
    if not values:
        raise ValueError("A quantile needs at least one value.")
    if not 0 <= p <= 1:
        raise ValueError("A quantile's p lies between 0 and 1.")
    position = (len(values) - 1) * p
    below = math.floor(position)
    low, high = values[below], values[min(below + 1, len(values) - 1)]
    share = position - below
    # Summed from the nearer end, so that the result never leaves [low, high].
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)


def ordered(values: Iterable[float]) -> list[float]:
    """The sample in ascending order. Raises ValueError for NaN and the infinities."""
    sample = sorted(values)
    if not all(map(math.isfinite, sample)):
        raise ValueError("A sample holds finite numbers only.")
    return sample


def ecdf(values: Iterable[float], max_points: int = 200) -> tuple[tuple[float, float], ...]:
    """``(value, share of the sample at or below it)``, one point per distinct value.

    More than ``max_points`` distinct values are thinned evenly; both ends stay.
    """
    sample = ordered(values)
    total = len(sample)
    steps = [
        (value, rank / total)
        for rank, value in enumerate(sample, start=1)
        if rank == total or sample[rank] != value
    ]
    return tuple(_thinned(steps, max(max_points, 2)))


def _thinned(steps: list[tuple[float, float]], limit: int) -> list[tuple[float, float]]:
    if len(steps) <= limit:
        return steps
    last = len(steps) - 1
    return [steps[round(i * last / (limit - 1))] for i in range(limit)]
