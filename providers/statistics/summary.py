"""What may be said about one sample of one LLM."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from providers.statistics.intervals import (
    SMALLEST_FOR_MEDIAN,
    Interval,
    median_interval_of_sorted,
)
from providers.statistics.quantiles import ordered, quantile_of_sorted


class Better(StrEnum):
    """Which way a metric is good: latencies are better low, throughputs better high."""

    LOWER = "lower"
    HIGHER = "higher"


# The tail that hurts: slow answers above, slow throughput below.
TAILS: dict[Better, tuple[int, ...]] = {
    Better.LOWER: (50, 90, 95, 99),
    Better.HIGHER: (50, 10, 5),
}


@dataclass(frozen=True, slots=True)
class Percentile:
    percent: int
    value: float
    reliable: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """``n`` values used, ``missing`` unknown ones left out; nothing is known when n is 0.

    ``points`` are the values themselves while they are too few for an interval (n < 5).
    """

    n: int
    missing: int
    indicative: bool
    median: float | None = None
    mean: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    median_interval: Interval | None = None
    percentiles: tuple[Percentile, ...] = ()
    points: tuple[float, ...] = ()

    def percentile(self, percent: int) -> Percentile | None:
        return next((p for p in self.percentiles if p.percent == percent), None)


def is_reliable(n: int, percent: int) -> bool:
    """At least one value lies beyond the percentile: ``n·(1-p) >= 1``, mirrored below P50."""
    return n * min(percent, 100 - percent) >= 100


def summarise(values: Iterable[float | None], better: Better = Better.LOWER) -> Summary:
    given = list(values)
    sample = ordered(value for value in given if value is not None)
    n, missing = len(sample), len(given) - len(sample)
    if n == 0:
        return Summary(n=0, missing=missing, indicative=True)
    is_indicative = n < SMALLEST_FOR_MEDIAN
    return Summary(
        n=n,
        missing=missing,
        indicative=is_indicative,
        median=quantile_of_sorted(sample, 0.5),
        mean=math.fsum(sample) / n,
        minimum=sample[0],
        maximum=sample[-1],
        median_interval=median_interval_of_sorted(sample),
        percentiles=tuple(_percentile(sample, percent) for percent in TAILS[better]),
        points=tuple(sample) if is_indicative else (),
    )


def _percentile(sample: list[float], percent: int) -> Percentile:
    value = quantile_of_sorted(sample, percent / 100)
    return Percentile(percent, value, is_reliable(len(sample), percent))
