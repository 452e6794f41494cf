from __future__ import annotations

import math
import random
from collections.abc import Iterable
from itertools import chain
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from benchmarks.baselines import Judgement, Series, judge, usual_spread
from providers.statistics.comparison import Limits, VerdictState
from providers.statistics.students import student_cdf, student_quantile
from providers.statistics.summary import Better

S = VerdictState


def make_run(draw: random.Random, level: float, n: int = 10, within: float = 0.1) -> list[float]:
    return [400.0 * level * draw.lognormvariate(0, within) for _ in range(n)]


def make_series(
    draw: random.Random, *, between: float, slower: float = 1.0, runs: int = 7, n: int = 10
) -> Series:
    """Runs whose levels wander by `between`, the newest `slower` times as slow."""
    earlier = [make_run(draw, draw.lognormvariate(0, between), n) for _ in range(runs)]
    return Series(earlier, make_run(draw, slower * draw.lognormvariate(0, between), n))


def alarms(judgements: Iterable[Judgement]) -> bool:
    return any(judgement.is_regression for judgement in judgements)


@pytest.mark.parametrize("between", [0.0, 0.01, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("llms", [1, 4])
def test_at_most_one_unchanged_run_in_twenty_raises_an_alarm(between: float, llms: int) -> None:
    draw = random.Random(20_260_131)
    weeks = 500

    false = sum(
        alarms(judge([make_series(draw, between=between) for _ in range(3 * llms)]))
        for _ in range(weeks)
    )

    assert false / weeks <= 0.05


def students_level(draw: random.Random) -> float:
    """Three degrees of freedom: now and then a day that lies far outside."""
    chi_squared = sum(draw.gauss(0, 1) ** 2 for _ in range(3))
    return math.exp(0.05 * draw.gauss(0, 1) / math.sqrt(chi_squared / 3))


def wandering_levels(draw: random.Random, runs: int) -> list[float]:
    """Each day resembles the one before."""
    place, levels = draw.gauss(0, 0.1), []
    for _ in range(runs):
        levels.append(math.exp(place))
        place = 0.8 * place + draw.gauss(0, 0.06)
    return levels


def heavy_run(draw: random.Random, level: float, n: int = 10) -> list[float]:
    """Latencies with a Pareto tail that has no variance."""
    return [400.0 * level * (1 + 0.05 * draw.paretovariate(1.5)) for _ in range(n)]


@pytest.mark.parametrize("kind", ["far days", "slow wandering"])
@pytest.mark.parametrize("llms", [1, 4])
def test_heavy_tails_and_wandering_levels_raise_no_more_false_alarms(kind: str, llms: int) -> None:
    draw = random.Random(20_260_131)
    weeks, false = 400, 0

    for _ in range(weeks):
        asked: list[Series] = []
        for _ in range(llms):
            levels = (
                [students_level(draw) for _ in range(8)]
                if kind == "far days"
                else wandering_levels(draw, 8)
            )
            # The metrics of one LLM share its level.
            asked += [
                Series([heavy_run(draw, lv) for lv in levels[:-1]], heavy_run(draw, levels[-1]))
                for _ in range(3)
            ]
        false += alarms(judge(asked))

    assert false / weeks <= 0.05


def test_the_fewest_runs_raise_no_more_false_alarms() -> None:
    draw = random.Random(5)

    false = [alarms(judge([make_series(draw, between=0.05, runs=3)] * 3)) for _ in range(600)]

    assert fmean(false) <= 0.05


@pytest.mark.parametrize(
    ("between", "slower", "at_least"), [(0.01, 1.25, 0.9), (0.03, 1.4, 0.95), (0.05, 2.0, 0.99)]
)
def test_a_real_slowdown_is_seen(between: float, slower: float, at_least: float) -> None:
    draw = random.Random(7)

    seen = [
        alarms(
            judge(
                [make_series(draw, between=between, slower=slower)]
                + [make_series(draw, between=between) for _ in range(2)]
            )
        )
        for _ in range(200)
    ]

    assert fmean(seen) >= at_least


def test_pooled_values_alone_would_alarm_all_the_time() -> None:
    draw = random.Random(11)
    pooled = [
        Series([list(chain.from_iterable(one.earlier))] * 3, one.current)
        for one in (make_series(draw, between=0.1, n=30) for _ in range(200))
    ]

    assert fmean(alarms(judge([one])) for one in pooled) > 0.2


def test_two_earlier_runs_are_no_baseline() -> None:
    (judgement,) = judge([make_series(random.Random(1), between=0.0, slower=3, runs=2)])

    assert judgement.verdict.state is S.NO_BASELINE
    assert judgement.verdict.reason == "2 of the 3 earlier runs that are needed, of 3 values each."


def test_a_change_below_the_calibrated_error_is_no_regression() -> None:
    series = make_series(random.Random(3), between=0.0, slower=1.2, n=50)
    blunt = Series(series.earlier, series.current, limits=Limits(calibrated_error=0.5))

    assert [j.verdict.state for j in judge([series])] == [S.SLOWER]
    assert [j.verdict.state for j in judge([blunt])] == [S.NO_DETECTABLE_DIFFERENCE]


def test_less_throughput_is_slower_and_more_is_faster() -> None:
    draw = random.Random(2)
    earlier = [make_run(draw, 1.0) for _ in range(5)]
    less, more = make_run(draw, 0.5), make_run(draw, 2.0)

    found = judge([Series(earlier, less, Better.HIGHER), Series(earlier, more, Better.HIGHER)])

    assert [judgement.verdict.state for judgement in found] == [S.SLOWER, S.FASTER]


def test_what_is_invalid_is_not_judged() -> None:
    series = make_series(random.Random(2), between=0.0, slower=9)
    spoiled = Series(series.earlier, series.current, invalid_reason="Late.")

    assert judge([spoiled])[0].verdict.state is S.INVALID


def test_the_usual_spread_is_the_prediction_limit_of_one_more_run() -> None:
    found = usual_spread([100.0, 110.0, 95.0, 105.0], 0.05)

    logs = np.log([100, 110, 95, 105])
    limit = stats.t.ppf(0.95, 3) * np.std(logs, ddof=1) * np.sqrt(1 + 1 / 4)
    assert found == pytest.approx(np.expm1(limit))


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 6, 9, 30, 49])
def test_students_t_is_that_of_scipy(freedom: int) -> None:
    for t in (-8.0, -1.5, 0.0, 0.3, 2.0, 12.0):
        assert student_cdf(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), abs=1e-12)
    for p in (0.001, 0.3, 0.5, 0.95, 0.999):
        assert student_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), abs=1e-6)
    with pytest.raises(ValueError):
        student_quantile(1.0, freedom)
