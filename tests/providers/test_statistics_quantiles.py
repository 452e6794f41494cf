from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.statistics.quantiles import ecdf, quantile
from providers.statistics.running import MAD_TO_SIGMA, RunningSample
from providers.statistics.summary import Better, is_reliable, summarise

finite = st.floats(min_value=-1e9, max_value=1e9)
samples = st.lists(finite, min_size=1, max_size=60)


@given(samples, st.floats(min_value=0, max_value=1))
def test_quantiles_are_numpys_default(values: list[float], p: float) -> None:
    expected = float(np.quantile(values, p, method="linear"))

    assert quantile(values, p) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(samples, st.floats(min_value=0, max_value=1))
def test_a_quantile_never_leaves_the_sample(values: list[float], p: float) -> None:
    assert min(values) <= quantile(values, p) <= max(values)


@pytest.mark.parametrize(
    ("values", "p", "expected"),
    [
        ([7.0], 0.99, 7.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([4.0, 1.0, 3.0, 2.0], 0.25, 1.75),
        ([1.0, 2.0, 3.0], 0.0, 1.0),
        ([1.0, 2.0, 3.0], 1.0, 3.0),
    ],
)
def test_quantiles_by_hand(values: list[float], p: float, expected: float) -> None:
    assert quantile(values, p) == expected


@pytest.mark.parametrize(
    ("values", "p"), [([], 0.5), ([1.0], 1.1), ([1.0], -0.1), ([math.nan], 0.5), ([math.inf], 0.5)]
)
def test_what_has_no_quantile_is_refused(values: list[float], p: float) -> None:
    with pytest.raises(ValueError):
        quantile(values, p)


def test_the_ecdf_climbs_by_the_share_of_each_value() -> None:
    assert ecdf([3.0, 1.0, 1.0, 2.0]) == ((1.0, 0.5), (2.0, 0.75), (3.0, 1.0))
    assert ecdf([]) == ()


@given(st.lists(finite, min_size=1, max_size=400), st.integers(min_value=2, max_value=50))
def test_a_thinned_ecdf_keeps_its_ends_and_its_order(values: list[float], limit: int) -> None:
    points = ecdf(values, max_points=limit)

    assert len(points) <= limit
    assert points[-1] == (max(values), 1.0)
    assert points[0][0] == min(values)
    assert list(points) == sorted(points)
    for value, share in points:
        assert share == sum(each <= value for each in values) / len(values)


@given(samples)
def test_a_running_sample_knows_median_and_mad(values: list[float]) -> None:
    running = RunningSample(values)
    centre = float(np.median(values))
    mad = float(np.median(np.abs(np.array(values) - centre)))

    assert running.median() == pytest.approx(centre, rel=1e-9, abs=1e-6)
    assert running.mad() == pytest.approx(mad, rel=1e-6, abs=1e-6)


@given(samples, samples)
def test_a_running_sample_forgets_what_is_removed(kept: list[float], gone: list[float]) -> None:
    running = RunningSample([*gone, *kept])

    for value in gone:
        running.remove(value)

    assert running.median() == RunningSample(kept).median()
    assert len(running) == len(kept)


def test_a_running_sample_only_removes_what_it_has() -> None:
    with pytest.raises(ValueError):
        RunningSample([1.0, 3.0]).remove(2.0)


def test_the_mad_of_a_normal_sample_estimates_its_deviation() -> None:
    generator = random.Random(2)
    running = RunningSample(generator.gauss(100, 7) for _ in range(20_000))

    assert MAD_TO_SIGMA * running.mad() == pytest.approx(7, rel=0.03)


def test_a_summary_of_ten_latencies() -> None:
    summary = summarise([float(value) for value in range(1, 11)])

    assert (summary.n, summary.missing, summary.indicative) == (10, 0, False)
    assert (summary.minimum, summary.median, summary.maximum) == (1.0, 5.5, 10.0)
    assert summary.mean == 5.5
    assert [(p.percent, p.value, p.reliable) for p in summary.percentiles] == [
        (50, 5.5, True),
        (90, pytest.approx(9.1), True),
        (95, pytest.approx(9.55), False),
        (99, pytest.approx(9.91), False),
    ]
    assert summary.points == ()


def test_a_summary_of_throughputs_looks_at_the_lower_tail() -> None:
    summary = summarise([float(value) for value in range(1, 21)], Better.HIGHER)

    assert [(p.percent, p.reliable) for p in summary.percentiles] == [
        (50, True),
        (10, True),
        (5, True),
    ]
    assert summary.percentile(5) is not None
    assert summary.percentile(99) is None


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_below_five_values_a_summary_shows_the_points_themselves(n: int) -> None:
    summary = summarise([float(value) for value in range(n, 0, -1)])

    assert summary.indicative
    assert summary.median_interval is None
    assert summary.points == tuple(float(value) for value in range(1, n + 1))


def test_unknown_values_are_counted_but_not_used() -> None:
    summary = summarise([None, 4.0, None, 2.0])

    assert (summary.n, summary.missing, summary.median) == (2, 2, 3.0)


def test_nothing_is_known_about_an_empty_sample() -> None:
    summary = summarise([None])

    assert (summary.n, summary.missing, summary.indicative) == (0, 1, True)
    assert summary.median is summary.mean is summary.minimum is summary.maximum is None
    assert summary.percentiles == ()


@pytest.mark.parametrize(
    ("percent", "fewest"), [(50, 2), (90, 10), (95, 20), (99, 100), (10, 10), (5, 20)]
)
def test_a_percentile_is_reliable_once_a_value_lies_beyond_it(percent: int, fewest: int) -> None:
    assert not is_reliable(fewest - 1, percent)
    assert is_reliable(fewest, percent)
