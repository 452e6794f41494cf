"""Intervals that say how much of the truth they cover."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from providers.statistics.quantiles import ordered

SMALLEST_FOR_MEDIAN = 5
EXACT_COEFFICIENT_UP_TO = 1_000


@dataclass(frozen=True, slots=True)
class Interval:
    """``coverage`` is the probability achieved, which may differ from the one asked for."""

    low: float
    high: float
    coverage: float


def normal_quantile(p: float) -> float:
    return NormalDist().inv_cdf(p)


def median_interval(values: Iterable[float], confidence: float = 0.95) -> Interval | None:
    """The exact order-statistic interval of the median: ``[x(k), x(n+1-k)]``.

    Free of any assumption about the distribution. None below 5 values; with exactly 5 the
    widest interval there is covers 93.75 %.
    """
    return median_interval_of_sorted(ordered(values), confidence)


def median_interval_of_sorted(sample: Sequence[float], confidence: float = 0.95) -> Interval | None:
    if len(sample) < SMALLEST_FOR_MEDIAN:
        return None
    rank, coverage = median_rank(len(sample), confidence)
    return Interval(sample[rank - 1], sample[-rank], coverage)


@lru_cache(maxsize=4096)
def median_rank(n: int, confidence: float) -> tuple[int, float]:
    """The largest ``k`` whose ``P(k <= B <= n-k)``, B ~ Bin(n, 1/2), reaches ``confidence``.

    k = 1 when none does. Counted outwards from the middle: O(sqrt(n)) steps.
    """
    rank = n // 2
    term = _coin_probability(n, rank)
    covered = term if n % 2 == 0 else 2 * term
    while covered < confidence and rank > 1:
        rank -= 1
        term *= (rank + 1) / (n - rank)
        covered += 2 * term
    return rank, min(covered, 1.0)


def quantile_interval_of_sorted(
    sample: Sequence[float], p: float, confidence: float = 0.95
) -> Interval | None:
    """The order-statistic interval of any quantile: ``[x(low), x(high)]``, equal tails at most.

    None while the sample is too small to have an upper end (72 values for P95, 368 for P99).
    """
    ranks = quantile_ranks(len(sample), p, confidence)
    if ranks is None:
        return None
    low, high, coverage = ranks
    return Interval(sample[low - 1], sample[high - 1], coverage)


@lru_cache(maxsize=4096)
def quantile_ranks(n: int, p: float, confidence: float) -> tuple[int, int, float] | None:
    """The closest ranks with P(B < low) and P(B >= high) at most half of what is left out.

    B ~ Bin(n, p) counts the values below the quantile. Third: the coverage achieved.
    """
    tail = (1 - confidence) / 2
    chances = [_binomial_probability(n, p, k) for k in range(n + 1)]
    low, below = _rank_within(chances, tail)
    above_rank, above = _rank_within(chances[::-1], tail)
    high = n + 1 - above_rank
    if low < 1 or high > n:
        return None
    return low, high, 1 - below - above


def _rank_within(chances: Sequence[float], tail: float) -> tuple[int, float]:
    """How many of the first chances add up to at most ``tail``, and to what."""
    total, rank = 0.0, 0
    while rank < len(chances) and total + chances[rank] <= tail:
        total += chances[rank]
        rank += 1
    return rank, total


def _binomial_probability(n: int, p: float, k: int) -> float:
    log_ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _coin_probability(n: int, k: int) -> float:
    if n <= EXACT_COEFFICIENT_UP_TO:
        return math.comb(n, k) / (1 << n)
    log_coefficient = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_coefficient - n * math.log(2))


def wilson_interval(successes: int, total: int, confidence: float = 0.95) -> Interval | None:
    """Wilson's score interval of a rate (1927). None when nothing was counted."""
    if not 0 <= successes <= total:
        raise ValueError("Successes are counted among the total.")
    if total == 0:
        return None
    z = normal_quantile(0.5 + confidence / 2)
    rate = successes / total
    scale = 1 + z * z / total
    centre = (rate + z * z / (2 * total)) / scale
    half = z * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total)) / scale
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == total else min(1.0, centre + half)
    return Interval(low, high, confidence)
