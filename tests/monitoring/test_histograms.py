from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.histograms import ACCURACY, LARGEST, SMALLEST, Histogram, bucket_of, value_of
from providers.statistics.quantiles import quantile

figures = st.floats(min_value=0.01, max_value=1e7)
samples = st.lists(figures, min_size=1, max_size=200)
# The buckets' own error, and a breath for arithmetic.
ERROR = ACCURACY + 1e-6


def make_histogram(values: list[float]) -> Histogram:
    histogram = Histogram()
    histogram.extend(values)
    return histogram


@given(st.floats(min_value=SMALLEST, max_value=LARGEST))
def test_a_bucket_stands_for_each_of_its_values(value: float) -> None:
    assert value_of(bucket_of(value)) == pytest.approx(value, rel=ERROR)


@given(samples, st.sampled_from([0.0, 0.05, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_every_quantile_is_near_the_exact_one(values: list[float], p: float) -> None:
    (found,) = make_histogram(values).quantiles(p)
    assert found == pytest.approx(quantile(values, p), rel=0.05)
    assert found == pytest.approx(quantile(values, p), rel=ERROR)


@given(samples, samples)
def test_merging_is_the_same_as_counting_all_at_once(one: list[float], other: list[float]) -> None:
    merged = make_histogram(one)
    merged.merge(make_histogram(other))
    assert merged.counts == make_histogram(one + other).counts


@given(st.lists(figures, max_size=200))
def test_what_was_packed_is_unpacked_unchanged(values: list[float]) -> None:
    histogram = make_histogram(values)
    assert Histogram.unpack(histogram.pack()).counts == histogram.counts
    assert Histogram.unpack(memoryview(histogram.pack())).n == len(values)


@given(samples, samples)
def test_packed_histograms_merge_by_absorbing_them(one: list[float], other: list[float]) -> None:
    absorbed = Histogram.unpack(make_histogram(one).pack())
    absorbed.absorb(make_histogram(other).pack())
    assert absorbed.counts == make_histogram(one + other).counts


def test_nothing_counted_has_no_quantile() -> None:
    assert Histogram().quantiles(0.5, 0.99) == [None, None]
    assert Histogram().pack() == b""


def test_a_day_of_samples_packs_into_some_hundred_bytes() -> None:
    values = [200.0 + (place * 7919 % 1000) for place in range(1440)]
    assert len(make_histogram(values).pack()) < 200


@pytest.mark.parametrize("value", [0.0, -3.0, 1e300])
def test_values_out_of_range_count_at_its_edge(value: float) -> None:
    assert make_histogram([value]).n == 1
