from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from providers.statistics.intervals import Interval
from providers.statistics.ranks import (
    RankMethod,
    brunner_munzel,
    fitting_method,
    mann_whitney,
    smallest_p,
)
from providers.statistics.shifts import interval_rank, ratio, shift

sizes = st.integers(min_value=1, max_value=14)
few = st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=5)
positive = st.lists(st.floats(min_value=0.1, max_value=1e5), min_size=1, max_size=25)


def make_samples(seed: int, n: int, m: int, move: float = 0.4) -> tuple[list[float], list[float]]:
    generator = random.Random(seed)
    baseline = [generator.gauss(10, 1) for _ in range(n)]
    return baseline, [generator.gauss(10 + move, 1) for _ in range(m)]


def enumerated_p(baseline: list[int], current: list[int]) -> float:
    """Two-sided p by listing every way to deal the pooled values out."""
    pooled, n = baseline + current, len(current)

    def u_of(places: tuple[int, ...]) -> float:
        ours = [pooled[i] for i in places]
        theirs = [pooled[i] for i in range(len(pooled)) if i not in places]
        return sum((y > x) + 0.5 * (y == x) for y in ours for x in theirs)

    seen = u_of(tuple(range(len(baseline), len(pooled))))
    every = [u_of(places) for places in itertools.combinations(range(len(pooled)), n)]
    above, below = sum(u >= seen for u in every), sum(u <= seen for u in every)
    return min(1.0, 2 * min(above, below) / len(every))


@given(st.integers(0, 10**6), sizes, sizes)
def test_the_exact_test_is_scipys(seed: int, n: int, m: int) -> None:
    baseline, current = make_samples(seed, n, m)
    expected = stats.mannwhitneyu(current, baseline, method="exact")

    test = mann_whitney(baseline, current, RankMethod.EXACT)

    assert test.u == expected.statistic
    assert test.p == pytest.approx(expected.pvalue, rel=1e-9)


@given(few, few)
def test_the_exact_test_with_ties_counts_every_assignment(
    baseline: list[int], current: list[int]
) -> None:
    test = mann_whitney(baseline, current, RankMethod.EXACT)

    assert test.p == pytest.approx(enumerated_p(baseline, current), rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_asymptotic_test_is_scipys_with_ties_and_continuity(seed: int) -> None:
    baseline, current = make_samples(seed, 60, 45)
    coarse = [round(v, 1) for v in baseline], [round(v, 1) for v in current]
    expected = stats.mannwhitneyu(coarse[1], coarse[0], method="asymptotic")

    test = mann_whitney(*coarse)

    assert test.method is RankMethod.ASYMPTOTIC
    assert test.u == expected.statistic
    assert test.p == pytest.approx(expected.pvalue, rel=1e-9)


def test_equal_constants_are_no_difference_by_either_method() -> None:
    same = [5.0] * 6

    assert mann_whitney(same, same, RankMethod.EXACT).p == 1.0
    assert mann_whitney(same, same, RankMethod.ASYMPTOTIC).p == 1.0


@given(few, few)
def test_the_test_does_not_mind_which_side_is_which(
    baseline: list[int], current: list[int]
) -> None:
    one, other = mann_whitney(baseline, current), mann_whitney(current, baseline)

    assert one.p == pytest.approx(other.p, rel=1e-12)
    assert one.u + other.u == len(baseline) * len(current)


@pytest.mark.parametrize(
    ("n", "m", "method"),
    [
        (3, 3, RankMethod.EXACT),
        (20, 80, RankMethod.EXACT),
        (80, 20, RankMethod.EXACT),
        (20, 81, RankMethod.ASYMPTOTIC),
        (21, 21, RankMethod.ASYMPTOTIC),
    ],
)
def test_small_samples_are_tested_exactly(n: int, m: int, method: RankMethod) -> None:
    assert fitting_method(n, m) is method


def test_three_against_three_can_never_be_significant() -> None:
    assert smallest_p(3, 3) == pytest.approx(0.1)
    assert smallest_p(4, 4) == pytest.approx(2 / 70)
    assert mann_whitney([1, 2, 3], [4, 5, 6]).p == pytest.approx(0.1)


@pytest.mark.parametrize(("baseline", "current"), [([], [1.0]), ([1.0], [])])
def test_an_empty_side_cannot_be_compared(baseline: list[float], current: list[float]) -> None:
    with pytest.raises(ValueError):
        mann_whitney(baseline, current)
    with pytest.raises(ValueError):
        shift(baseline, current)


@given(positive, positive)
def test_the_shift_is_the_median_of_all_differences(
    baseline: list[float], current: list[float]
) -> None:
    differences = np.subtract.outer(np.array(current), np.array(baseline))

    found = shift(baseline, current)

    assert found.value == pytest.approx(float(np.median(differences)), rel=1e-9, abs=1e-9)
    assert found.interval.low <= found.value <= found.interval.high


@pytest.mark.parametrize(("n", "m", "digits"), [(400, 300, 9), (300, 500, 1), (250, 250, 0)])
def test_large_samples_give_the_same_shift_without_listing(n: int, m: int, digits: int) -> None:
    baseline, current = (
        [round(v, digits) for v in side] for side in make_samples(n, n, m, move=0.7)
    )
    every = np.sort(np.subtract.outer(np.array(current), np.array(baseline)).ravel())
    rank, coverage = interval_rank(n, m, 0.95)

    found = shift(baseline, current)

    assert found.value == pytest.approx(float(np.median(every)), abs=1e-12)
    assert found.interval == Interval(every[rank - 1], every[-rank], coverage)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 7), (5, 5), (10, 10), (20, 20)])
def test_the_interval_of_the_shift_inverts_the_exact_test(n: int, m: int) -> None:
    rank, coverage = interval_rank(n, m, 0.95)
    left_out = 2 * _probability_of_u_up_to(rank - 1, n, m)

    assert coverage == pytest.approx(1 - left_out, abs=1e-9)
    assert coverage >= 0.95 or rank == 1
    assert 1 - 2 * _probability_of_u_up_to(rank, n, m) < 0.95


def _probability_of_u_up_to(u: int, n: int, m: int) -> float:
    """From the Gaussian binomial coefficient, the generating function of U."""
    counts = [1] + [0] * (n * m)
    for k in range(1, n + 1):
        for i in range(n * m, m + k - 1, -1):
            counts[i] -= counts[i - m - k]
        for i in range(k, n * m + 1):
            counts[i] += counts[i - k]
    return sum(counts[: u + 1]) / math.comb(n + m, n)


@pytest.mark.parametrize("seed", range(40))
def test_the_large_interval_and_its_test_never_disagree(seed: int) -> None:
    generator = random.Random(seed)
    n, m = generator.randint(21, 60), generator.randint(21, 60)
    baseline, current = make_samples(seed, n, m, move=generator.uniform(-0.6, 0.6))

    interval = shift(baseline, current).interval

    is_significant = mann_whitney(baseline, current).p <= 0.05
    assert is_significant == (interval.low > 0 or interval.high < 0)


@pytest.mark.parametrize("digits", [0, 6])
@pytest.mark.parametrize("sizes", [(3, 9), (12, 12), (40, 15), (150, 120)])
def test_the_test_for_unequal_spreads_is_scipys(sizes: tuple[int, int], digits: int) -> None:
    generator = random.Random(sum(sizes))
    baseline = [round(generator.gauss(0, 2), digits) for _ in range(sizes[0])]
    current = [round(generator.gauss(0.8, 5), digits) for _ in range(sizes[1])]
    expected = stats.brunnermunzel(baseline, current)

    found = brunner_munzel(baseline, current)

    # Ours rounds the degrees of freedom down: never smaller, and hardly larger.
    assert expected.pvalue <= found + 1e-12
    assert found == pytest.approx(expected.pvalue, rel=0.05)


def test_sides_that_do_not_overlap_differ_however_they_spread() -> None:
    assert brunner_munzel([1.0, 2.0], [5.0, 9.0, 20.0]) == 0.0
    assert brunner_munzel([3.0, 3.0], [3.0, 3.0]) == 1.0
    with pytest.raises(ValueError):
        brunner_munzel([1.0], [2.0, 3.0])


def test_the_ratio_is_the_factor_between_the_samples() -> None:
    baseline = [100.0, 110.0, 120.0, 130.0, 140.0]

    found = ratio(baseline, [2 * value for value in baseline])

    assert found is not None
    assert found.value == pytest.approx(2.0)
    assert found.interval.low < 2.0 < found.interval.high


@given(positive, positive)
def test_the_ratio_the_other_way_round_is_its_inverse(a: list[float], b: list[float]) -> None:
    forth, back = ratio(a, b), ratio(b, a)

    assert forth is not None
    assert back is not None
    assert forth.value == pytest.approx(1 / back.value, rel=1e-9)
    assert forth.interval.low == pytest.approx(1 / back.interval.high, rel=1e-9)


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_a_ratio_needs_positive_values(bad: float) -> None:
    assert ratio([1.0, 2.0], [1.0, bad]) is None


def test_the_interval_of_the_ratio_covers_the_truth_as_often_as_it_says() -> None:
    generator = random.Random(5)
    trials, hits = 800, 0
    for _ in range(trials):
        baseline = [generator.lognormvariate(6, 0.3) for _ in range(8)]
        current = [1.3 * generator.lognormvariate(6, 0.3) for _ in range(10)]
        found = ratio(baseline, current)
        assert found is not None
        hits += found.interval.low <= 1.3 <= found.interval.high

    _, coverage = interval_rank(8, 10, 0.95)
    assert hits / trials == pytest.approx(coverage, abs=0.02)
