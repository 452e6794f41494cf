"""The Mann-Whitney test: does one sample tend to lie above the other?"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from providers.statistics.students import student_cdf

# Beyond these sizes the exact distribution costs more than 10 ms and says the same.
EXACT_SMALLER_SIDE = 20
EXACT_TOTAL = 100


class RankMethod(StrEnum):
    EXACT = "exact"
    ASYMPTOTIC = "asymptotic"


@dataclass(frozen=True, slots=True)
class RankTest:
    """``u`` counts the pairs in which ``current`` lies above ``baseline``, ties as halves."""

    u: float
    p: float
    method: RankMethod


def mann_whitney(
    baseline: Sequence[float], current: Sequence[float], method: RankMethod | None = None
) -> RankTest:
    """Two-sided. Exact (also with ties: all assignments of the mid-ranks) while small.

    Otherwise the normal approximation with tie and continuity correction.
    Raises ValueError when a side is empty.
    """
    if not baseline or not current:
        raise ValueError("A comparison needs values on both sides.")
    chosen = method or fitting_method(len(baseline), len(current))
    u = pairs_above(baseline, current)
    ties = tie_sizes(baseline, current)
    p_of = _exact_p if chosen is RankMethod.EXACT else _asymptotic_p
    return RankTest(u, p_of(u, len(baseline), len(current), ties), chosen)


def fitting_method(n_baseline: int, n_current: int) -> RankMethod:
    is_small = min(n_baseline, n_current) <= EXACT_SMALLER_SIDE
    if is_small and n_baseline + n_current <= EXACT_TOTAL:
        return RankMethod.EXACT
    return RankMethod.ASYMPTOTIC


def pairs_above(baseline: Sequence[float], current: Sequence[float]) -> float:
    below = sorted(baseline)
    twice = sum(bisect_left(below, value) + bisect_right(below, value) for value in current)
    return twice / 2


def tie_sizes(baseline: Sequence[float], current: Sequence[float]) -> tuple[int, ...]:
    """How many values share each distinct value of the two samples together, ascending."""
    counts = Counter(baseline)
    counts.update(current)
    return tuple(counts[value] for value in sorted(counts))


def smallest_p(n_baseline: int, n_current: int) -> float:
    """The least two-sided exact p that samples of these sizes can reach (0.1 at 3 against 3)."""
    return min(1.0, 2 / math.comb(n_baseline + n_current, n_current))


def _exact_p(u: float, n_baseline: int, n_current: int, ties: tuple[int, ...]) -> float:
    tails = rank_sum_tails(ties, min(n_baseline, n_current))
    pairs = n_baseline * n_current
    # Around the mean the distribution is not symmetric when ties are lopsided: take both tails.
    from_the_smaller = u if n_current <= n_baseline else pairs - u
    total = math.comb(n_baseline + n_current, n_current)
    twice_u = round(2 * from_the_smaller)
    above = tails[twice_u]
    below = total - tails[twice_u + 1]
    return min(1.0, 2 * min(above, below) / total)


@lru_cache(maxsize=256)
def rank_sum_tails(ties: tuple[int, ...], size: int) -> tuple[int, ...]:
    """``tails[k]``: how many ways to pick ``size`` of the pooled values give ``2U >= k``.

    Counted with doubled mid-ranks as generating functions whose coefficients are fields of one
    big integer each: a product by x^r is a shift.
    """
    ranks = _doubled_mid_ranks(ties)
    total = len(ranks)
    width = 8 * math.ceil((math.comb(total, size).bit_length() + 1) / 8)
    ways = [1] + [0] * size
    for seen, rank in enumerate(ranks, start=1):
        for picked in range(min(size, seen), 0, -1):
            ways[picked] += ways[picked - 1] << (rank * width)
    return _tails(ways[size], width // 8, 2 * size * (total - size), size * (size + 1))


def _doubled_mid_ranks(ties: tuple[int, ...]) -> list[int]:
    ranks: list[int] = []
    for size in ties:
        ranks += [2 * len(ranks) + size + 1] * size
    return ranks


def _tails(packed: int, width: int, top: int, offset: int) -> tuple[int, ...]:
    """Counts of ``2U >= k`` for k = 0 … top + 1; the doubled rank sum is ``2U + offset``."""
    raw = packed.to_bytes((top + offset + 1) * width, "little")
    tails = [0] * (top + 2)
    for k in range(top, -1, -1):
        start = (k + offset) * width
        tails[k] = tails[k + 1] + int.from_bytes(raw[start : start + width], "little")
    return tuple(tails)


def _asymptotic_p(u: float, n_baseline: int, n_current: int, ties: tuple[int, ...]) -> float:
    total = n_baseline + n_current
    pairs = n_baseline * n_current
    tie_term = sum(size**3 - size for size in ties) / (total * (total - 1))
    variance = pairs / 12 * (total + 1 - tie_term)
    if variance <= 0:
        return 1.0
    # Continuity: U moves in whole steps.
    z = (max(u, pairs - u) - pairs / 2 - 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(z / math.sqrt(2)))


def brunner_munzel(baseline: Sequence[float], current: Sequence[float]) -> float:
    """Two-sided p of the same question where the two sides spread differently (2000).

    Mann-Whitney takes both sides for equal in shape: a small sample that spreads widely against
    a large one that does not gets too many small p. Student's t, its degrees of freedom rounded
    down. Raises ValueError when a side has fewer than two values.
    """
    sides = (sorted(baseline), sorted(current))
    if min(map(len, sides)) < 2:
        raise ValueError("The spread of a side needs two values.")
    # Placements: how many values of the other side lie below each, ties as halves.
    shares = [
        _variance_over_n([_below(value, other) / len(other) for value in own])
        for own, other in (sides, sides[::-1])
    ]
    excess = pairs_above(*sides) / (len(baseline) * len(current)) - 0.5
    total = math.fsum(shares)
    if total == 0:
        return 1.0 if excess == 0 else 0.0
    freedom = total**2 / math.fsum(
        share**2 / (len(side) - 1) for share, side in zip(shares, sides, strict=True)
    )
    t = abs(excess) / math.sqrt(total)
    return max(0.0, 2 * (1 - student_cdf(t, max(1, math.floor(freedom)))))


def _below(value: float, others: Sequence[float]) -> float:
    return (bisect_left(others, value) + bisect_right(others, value)) / 2


def _variance_over_n(values: Sequence[float]) -> float:
    n = len(values)
    mean = math.fsum(values) / n
    return math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n
