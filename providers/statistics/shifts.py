"""How far one sample lies from another: Hodges-Lehmann estimates with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from providers.statistics.intervals import Interval, normal_quantile
from providers.statistics.quantiles import ordered
from providers.statistics.ranks import RankMethod, fitting_method, rank_sum_tails

# Up to this many pairwise differences sorting all of them once is quickest.
SORT_UP_TO = 4_000
# Of more, each selection narrows down to so many.
SELECT_UP_TO = 1_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """``interval`` is distribution-free; its coverage is the one achieved."""

    value: float
    interval: Interval


def shift(
    baseline: Sequence[float], current: Sequence[float], confidence: float = 0.95
) -> Estimate:
    """Median of all differences ``current - baseline`` (Hodges & Lehmann 1963).

    The interval inverts the Mann-Whitney test (Moses). Raises ValueError when a side is empty.
    """
    if not baseline or not current:
        raise ValueError("A comparison needs values on both sides.")
    differences = Differences(ordered(baseline), ordered(current))
    rank, coverage = interval_rank(len(baseline), len(current), confidence)
    pairs = len(baseline) * len(current)
    low, high = differences.smallest(rank), differences.smallest(pairs + 1 - rank)
    middle = (differences.smallest((pairs + 1) // 2) + differences.smallest(pairs // 2 + 1)) / 2
    return Estimate(middle, Interval(low, high, coverage))


def ratio(
    baseline: Sequence[float], current: Sequence[float], confidence: float = 0.95
) -> Estimate | None:
    """The shift of the logarithms, as a factor: 1.2 means ``current`` is 20 % higher.

    None when a value is not positive: it has no logarithm.
    """
    if any(value <= 0 for side in (baseline, current) for value in side):
        return None
    logs = shift([math.log(v) for v in baseline], [math.log(v) for v in current], confidence)
    interval = logs.interval
    factors = Interval(math.exp(interval.low), math.exp(interval.high), interval.coverage)
    return Estimate(math.exp(logs.value), factors)


def interval_rank(n_baseline: int, n_current: int, confidence: float) -> tuple[int, float]:
    """``k``: the interval runs from the k-th smallest to the k-th largest difference.

    k = 1, the widest, when even that does not reach ``confidence``; second: the coverage.
    """
    if fitting_method(n_baseline, n_current) is RankMethod.EXACT:
        return _exact_rank(n_baseline, n_current, confidence)
    pairs = n_baseline * n_current
    deviation = math.sqrt(pairs * (n_baseline + n_current + 1) / 12)
    # Rounded as the test's continuity correction does: it and the interval never disagree.
    rank = math.floor(pairs / 2 - normal_quantile(0.5 + confidence / 2) * deviation + 0.5)
    return max(rank, 1), confidence


def _exact_rank(n_baseline: int, n_current: int, confidence: float) -> tuple[int, float]:
    total = n_baseline + n_current
    tails = rank_sum_tails((1,) * total, min(n_baseline, n_current))
    ways = math.comb(total, n_current)
    rank = 1
    # P(U <= k - 1) on each side is what the interval leaves out; U is symmetric without ties.
    while _coverage(tails, ways, rank + 1) >= confidence:
        rank += 1
    return rank, _coverage(tails, ways, rank)


def _coverage(tails: tuple[int, ...], ways: int, rank: int) -> float:
    left_out = ways - tails[min(2 * rank, len(tails) - 1)]
    return 1 - 2 * left_out / ways


class Differences:
    """All ``n·m`` differences of two ordered samples, selected from without listing them."""

    __slots__ = ("_all", "_baseline", "_current")

    def __init__(self, baseline: list[float], current: list[float]) -> None:
        self._baseline = baseline
        self._current = current
        self._all: list[float] | None = None
        if len(baseline) * len(current) <= SORT_UP_TO:
            self._all = sorted(y - x for y in current for x in baseline)

    def smallest(self, rank: int) -> float:
        """The ``rank``-th smallest difference, 1-based.

        Large samples: bisect on the value, counting along the staircase of the ordered matrix,
        until the differences left in the bracket are few enough to be sorted.
        """
        if self._all is not None:
            return self._all[rank - 1]
        low = math.nextafter(self._current[0] - self._baseline[-1], -math.inf)
        high = self._current[-1] - self._baseline[0]
        below, upto = 0, len(self._baseline) * len(self._current)
        while upto - below > SELECT_UP_TO:
            middle = low + (high - low) / 2
            if middle in (low, high):
                return high
            count = self._count(middle)
            if count >= rank:
                high, upto = middle, count
            else:
                low, below = middle, count
        return self._within(low, high)[rank - below - 1]

    def _count(self, limit: float) -> int:
        """How many differences are at most ``limit``."""
        count, start, size = 0, 0, len(self._baseline)
        baseline = self._baseline
        for y in self._current:
            while start < size and y - baseline[start] > limit:
                start += 1
            count += size - start
        return count

    def _within(self, low: float, high: float) -> list[float]:
        """The differences in ``(low, high]``, ascending."""
        found: list[float] = []
        baseline, start, stop, size = self._baseline, 0, 0, len(self._baseline)
        for y in self._current:
            while start < size and y - baseline[start] > high:
                start += 1
            while stop < size and y - baseline[stop] > low:
                stop += 1
            found += [y - x for x in baseline[start:stop]]
        return sorted(found)
