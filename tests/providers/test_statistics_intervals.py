from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from providers.statistics.intervals import (
    median_interval,
    median_rank,
    quantile_interval_of_sorted,
    quantile_ranks,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("n", "rank", "coverage"),
    [
        (5, 1, 0.9375),
        (6, 1, 0.96875),
        (7, 1, 0.984375),
        (8, 1, 0.9921875),
        (9, 2, 0.9609375),
        (10, 2, 0.978515625),
    ],
)
def test_the_interval_of_the_median_says_what_it_covers(n: int, rank: int, coverage: float) -> None:
    values = [float(value) for value in range(1, n + 1)]

    interval = median_interval(values)

    assert interval is not None
    assert (interval.low, interval.high) == (rank, n + 1 - rank)
    assert interval.coverage == pytest.approx(coverage, abs=1e-12)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0, 4.0]])
def test_below_five_values_the_median_has_no_interval(values: Sequence[float]) -> None:
    assert median_interval(values) is None


@given(st.integers(min_value=5, max_value=3_000))
def test_the_rank_is_the_largest_that_covers_enough(n: int) -> None:
    rank, coverage = median_rank(n, 0.95)
    binomial = stats.binom(n, 0.5)

    assert coverage == pytest.approx(1 - 2 * binomial.cdf(rank - 1), abs=1e-8)
    assert coverage >= 0.95 or rank == 1
    assert 1 - 2 * binomial.cdf(rank) < 0.95


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    generator = random.Random(3)
    trials, n = 4_000, 10

    hits = 0
    for _ in range(trials):
        interval = median_interval([generator.expovariate(1.0) for _ in range(n)])
        assert interval is not None
        hits += interval.low <= 0.6931 <= interval.high

    assert hits / trials == pytest.approx(0.9785, abs=0.01)


@given(
    st.integers(min_value=2, max_value=1_500), st.sampled_from([0.05, 0.1, 0.5, 0.9, 0.95, 0.99])
)
def test_the_interval_of_a_quantile_is_scipys(n: int, p: float) -> None:
    ranks = [float(rank) for rank in range(1, n + 1)]
    expected = stats.quantile_test(ranks, p=p).confidence_interval(0.95)

    interval = quantile_interval_of_sorted(ranks, p)

    if interval is None:
        assert math.isnan(expected.low) or math.isnan(expected.high)
    else:
        assert (interval.low, interval.high) == (expected.low, expected.high)
        covered = stats.binom.cdf(interval.high - 1, n, p) - stats.binom.cdf(interval.low - 1, n, p)
        assert interval.coverage == pytest.approx(covered, abs=1e-9)


@pytest.mark.parametrize(("p", "fewest"), [(0.9, 36), (0.95, 72), (0.99, 368), (0.05, 72)])
def test_a_tail_has_an_interval_once_both_its_ends_are_in_the_sample(p: float, fewest: int) -> None:
    assert quantile_ranks(fewest - 1, p, 0.95) is None
    assert quantile_ranks(fewest, p, 0.95) is not None


def test_the_interval_of_a_heavy_tail_covers_it_as_often_as_it_says() -> None:
    generator = random.Random(4)
    trials, n, truth = 1_500, 100, 20 ** (1 / 1.2)

    hits, coverage = 0, 0.0
    for _ in range(trials):
        interval = quantile_interval_of_sorted(
            sorted(generator.paretovariate(1.2) for _ in range(n)), 0.95
        )
        assert interval is not None
        hits, coverage = hits + (interval.low <= truth <= interval.high), interval.coverage

    assert hits / trials == pytest.approx(coverage, abs=0.012)


@given(st.integers(min_value=1, max_value=2_000), st.data())
def test_wilsons_interval_is_scipys(total: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(min_value=0, max_value=total))
    expected = stats.binomtest(successes, total).proportion_ci(0.95, method="wilson")

    interval = wilson_interval(successes, total)

    assert interval is not None
    assert interval.low == pytest.approx(expected.low, abs=1e-9)
    assert interval.high == pytest.approx(expected.high, abs=1e-9)


def test_a_rate_of_nothing_has_no_interval() -> None:
    assert wilson_interval(0, 0) is None


@pytest.mark.parametrize(("successes", "total"), [(-1, 3), (4, 3)])
def test_a_rate_beyond_its_total_is_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError):
        wilson_interval(successes, total)
