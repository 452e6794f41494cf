from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from providers.statistics.comparison import (
    Limits,
    Pair,
    Verdict,
    VerdictState,
    compare,
    compare_many,
    holm,
)
from providers.statistics.power import (
    fewest_runs,
    log_spread,
    minimum_detectable_effect,
    runs_needed,
)
from providers.statistics.summary import Better

S = VerdictState
TTFTS = [400.0, 410.0, 415.0, 420.0, 428.0, 431.0, 440.0, 455.0, 460.0, 470.0]


def make_pair(factor: float = 1.0, *, better: Better = Better.LOWER, n: int = 10) -> Pair:
    return Pair(TTFTS, [value * factor + 0.01 for value in TTFTS[:n]], better)


def make_latencies(generator: random.Random, n: int, factor: float = 1.0) -> list[float]:
    return [factor * generator.lognormvariate(6, 0.25) for _ in range(n)]


@pytest.mark.parametrize(
    ("factor", "better", "state"),
    [
        (1.3, Better.LOWER, S.SLOWER),
        (0.7, Better.LOWER, S.FASTER),
        (1.3, Better.HIGHER, S.FASTER),
        (0.7, Better.HIGHER, S.SLOWER),
        (1.0, Better.LOWER, S.NO_DETECTABLE_DIFFERENCE),
        (1.0, Better.HIGHER, S.NO_DETECTABLE_DIFFERENCE),
    ],
)
def test_a_verdict_knows_which_way_the_metric_is_good(
    factor: float, better: Better, state: VerdictState
) -> None:
    assert compare(make_pair(factor, better=better)).state is state


def test_a_verdict_shows_its_evidence() -> None:
    verdict = compare(make_pair(1.3))

    assert (verdict.n_baseline, verdict.n_current) == (10, 10)
    assert verdict.p is not None
    assert verdict.p < 0.001
    assert verdict.p_adjusted == verdict.p
    assert verdict.ratio is not None
    assert verdict.ratio.value == pytest.approx(1.3, rel=0.01)
    assert verdict.ratio.interval.low > 1.05
    assert verdict.shift is not None
    assert verdict.shift.value == pytest.approx(130, rel=0.05)
    assert verdict.reason == "The typical value changed by +30.0 % (adjusted p below 0.001)."


def test_a_significant_but_small_effect_is_no_difference() -> None:
    baseline = [1000.0 + i for i in range(20)]
    current = [value * 1.04 for value in baseline]

    verdict = compare(Pair(baseline, current))

    assert verdict.p is not None
    assert verdict.p < 0.001
    assert verdict.state is S.NO_DETECTABLE_DIFFERENCE
    assert verdict.reason == "A change of +4.0 % is not above the 5 % that counts."


def test_an_effect_within_the_calibrated_error_is_no_difference() -> None:
    pair = make_pair(1.2)

    assert compare(pair, Limits(calibrated_error=0.10)).state is S.SLOWER
    assert compare(pair, Limits(calibrated_error=0.25)).state is S.NO_DETECTABLE_DIFFERENCE


def test_without_a_baseline_nothing_is_compared() -> None:
    verdict = compare(Pair([], TTFTS))

    assert verdict == Verdict(
        S.NO_BASELINE, "The other side has no value to compare with.", n_baseline=0, n_current=10
    )


def test_an_invalid_metric_is_not_judged_whatever_its_values() -> None:
    pair = replace(make_pair(3.0), invalid_reason="The stream was buffered.")

    verdict = compare(pair)

    assert (verdict.state, verdict.reason) == (S.INVALID, "The stream was buffered.")
    assert verdict.p is None


def test_a_value_of_zero_makes_a_comparison_invalid() -> None:
    assert compare(Pair([0.0, *TTFTS], TTFTS)).state is S.INVALID


@pytest.mark.parametrize(("n", "m"), [(3, 3), (3, 4), (2, 40), (40, 1), (5, 0)])
def test_too_few_values_are_inconclusive(n: int, m: int) -> None:
    verdict = compare(Pair([1.0 + i for i in range(n)], [100.0 + i for i in range(m)]))

    assert verdict.state is S.INCONCLUSIVE
    assert verdict.p is None
    assert f"{m} against {n} values" in verdict.reason


@pytest.mark.parametrize(("n", "m"), [(4, 4), (3, 5), (5, 3), (3, 20)])
def test_the_fewest_values_that_can_be_significant_are_judged(n: int, m: int) -> None:
    verdict = compare(Pair([1.0 + i for i in range(n)], [100.0 + i for i in range(m)]))

    assert verdict.state is S.SLOWER


def test_four_against_four_twice_is_inconclusive_although_once_is_not() -> None:
    pair = Pair([1.0, 2.0, 3.0, 4.0], [11.0, 12.0, 13.0, 14.0])

    alone, together = compare(pair), compare_many([pair, pair])

    assert alone.state is S.SLOWER
    assert [verdict.state for verdict in together] == [S.INCONCLUSIVE] * 2
    assert [verdict.minimum_detectable_effect for verdict in together] == [None, None]


def test_many_comparisons_share_one_holm() -> None:
    generator = random.Random(8)
    pairs = [Pair(make_latencies(generator, 12), make_latencies(generator, 12)) for _ in range(6)]
    pairs.insert(2, Pair([], TTFTS))

    verdicts = compare_many(pairs)

    tested = [verdict for verdict in verdicts if verdict.p is not None]
    expected = holm([verdict.p for verdict in tested if verdict.p is not None])
    assert [verdict.p_adjusted for verdict in tested] == expected
    assert verdicts[2].state is S.NO_BASELINE


@given(st.lists(st.floats(min_value=1e-6, max_value=1.0), max_size=12))
def test_holm_steps_down(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    plain = [min(1.0, (len(order) - i) * p_values[place]) for i, place in enumerate(order)]

    for i, place in enumerate(order):
        assert adjusted[place] == max(plain[: i + 1])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.floats(min_value=0.2, max_value=5.0))
def test_swapping_the_sides_mirrors_the_verdict(factor: float) -> None:
    pair = make_pair(factor)
    mirrored = {S.FASTER: S.SLOWER, S.SLOWER: S.FASTER}

    forth = compare(pair).state
    back = compare(Pair(pair.current, pair.baseline)).state

    assert back is mirrored.get(forth, forth)


def test_equal_llms_are_told_apart_in_at_most_five_percent_of_runs() -> None:
    generator = random.Random(11)
    trials = 600

    alarms = 0
    for _ in range(trials):
        pair = Pair(make_latencies(generator, 40), make_latencies(generator, 10))
        alarms += compare(pair).state in (S.FASTER, S.SLOWER)

    assert alarms / trials <= 0.05


def test_one_of_ten_equal_llms_differs_in_at_most_five_percent_of_runs() -> None:
    generator = random.Random(12)
    trials = 800

    alarms = 0
    for _ in range(trials):
        pairs = [
            Pair(make_latencies(generator, 20), make_latencies(generator, 10)) for _ in range(10)
        ]
        alarms += any(v.state in (S.FASTER, S.SLOWER) for v in compare_many(pairs))

    assert alarms / trials <= 0.06


@pytest.mark.parametrize(("n_baseline", "n_current"), [(10, 10), (40, 10), (70, 10)])
def test_a_jittery_llm_with_the_same_median_differs_in_about_five_percent_of_runs(
    n_baseline: int, n_current: int
) -> None:
    generator = random.Random(1)
    trials = 800

    alarms = alarms_of_ranks = 0
    for _ in range(trials):
        calm = [generator.lognormvariate(6, 0.1) for _ in range(n_baseline)]
        jittery = [generator.lognormvariate(6, 0.6) for _ in range(n_current)]
        verdict = compare(Pair(calm, jittery))
        alarms += verdict.state in (S.FASTER, S.SLOWER)
        alarms_of_ranks += (verdict.p_adjusted or 1.0) <= 0.05

    assert alarms / trials <= 0.065
    assert alarms_of_ranks > alarms


def test_a_change_that_unequal_spreads_explain_says_so() -> None:
    calm = [100.0 + place / 10 for place in range(40)]
    wild = [60.0, 95.0, 101.9, 130.0, 150.0, 190.0, 230.0, 300.0, 400.0, 700.0]

    verdict = compare(Pair(calm, wild))

    assert (verdict.p_adjusted or 1) <= 0.05 < (verdict.p_robust or 0)
    assert verdict.state is S.NO_DETECTABLE_DIFFERENCE
    assert verdict.reason.startswith("The sides spread so differently that +")


def test_the_spread_pools_what_varies_inside_each_run() -> None:
    generator = random.Random(13)
    runs = [make_latencies(generator, 50, factor) for factor in (1.0, 2.0, 5.0)]

    assert log_spread(runs) == pytest.approx(0.25, rel=0.1)
    assert log_spread([[1.0], []]) is None


@pytest.mark.parametrize("n", [8, 15, 40])
def test_the_minimum_detectable_effect_is_found_with_the_power_it_names(n: int) -> None:
    generator = random.Random(n)
    effect = minimum_detectable_effect(0.25, n, n)
    assert effect is not None
    trials, found = 500, 0

    for _ in range(trials):
        pair = Pair(make_latencies(generator, n), make_latencies(generator, n, 1 + effect))
        found += compare(pair, Limits(min_effect=0.0)).state is S.SLOWER

    assert found / trials == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("n", [100, 400])
def test_the_detectable_effect_is_above_the_smallest_that_counts(n: int) -> None:
    generator = random.Random(n)
    effect = minimum_detectable_effect(0.1, n, n, min_effect=0.05)
    assert effect is not None
    trials, found = 300, 0

    for _ in range(trials):
        before, after = (
            [f * generator.lognormvariate(6, 0.1) for _ in range(n)] for f in (1, 1 + effect)
        )
        found += compare(Pair(before, after)).state is S.SLOWER

    assert effect > 0.05
    assert found / trials == pytest.approx(0.8, abs=0.07)


def test_sizes_that_can_never_be_significant_detect_nothing() -> None:
    assert minimum_detectable_effect(0.25, 3, 3) is None
    assert minimum_detectable_effect(0.25, 0, 50) is None
    assert minimum_detectable_effect(0.25, 4, 4) is not None


@pytest.mark.parametrize("effect", [0.05, 0.1, 0.2, 0.5])
@pytest.mark.parametrize("spread", [0.05, 0.25, 0.6])
def test_the_runs_needed_detect_the_effect_and_one_less_does_not(
    spread: float, effect: float
) -> None:
    n = runs_needed(spread, effect)

    reached = minimum_detectable_effect(spread, n, n)
    missed = minimum_detectable_effect(spread, n - 1, n - 1)
    assert reached is not None
    assert reached <= effect
    assert missed is None or missed > effect or n == fewest_runs(0.05)


def test_the_runs_needed_are_about_those_of_a_t_test() -> None:
    n = runs_needed(0.25, 0.2)
    distance = 0.18232 / 0.25
    freedom = 2 * n - 2
    critical = stats.t.ppf(0.975, freedom)
    power = 1 - stats.nct.cdf(critical, freedom, distance * (n / 2) ** 0.5)

    assert power == pytest.approx(0.8, abs=0.03)


def test_never_fewer_runs_than_can_be_significant() -> None:
    assert runs_needed(0.0, 0.5) == fewest_runs(0.05) == 4
    assert fewest_runs(0.01) == 5


@pytest.mark.parametrize("effect", [0.06, 0.08, 0.2])
def test_the_runs_needed_count_with_the_smallest_effect_that_counts(effect: float) -> None:
    n = runs_needed(0.1, effect, min_effect=0.05)

    assert (n > runs_needed(0.1, effect)) == (effect == 0.06)
    assert (minimum_detectable_effect(0.1, n, n, min_effect=0.05) or 1) <= effect
    assert (minimum_detectable_effect(0.1, n - 1, n - 1, min_effect=0.05) or 1) > effect


@pytest.mark.parametrize(("effect", "min_effect"), [(0.0, 0.0), (-0.1, 0.0), (0.05, 0.05)])
def test_no_number_of_runs_finds_no_change(effect: float, min_effect: float) -> None:
    with pytest.raises(ValueError):
        runs_needed(0.25, effect, min_effect=min_effect)
