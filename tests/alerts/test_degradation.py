from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.degradation import (
    Baseline,
    Pace,
    Performance,
    Sample,
    judge,
    limits_of,
    measure,
)
from alerts.facts import LLMFact, Rule, RuleType
from alerts.replay import Episode, EpisodeEnd, replay
from alerts.states import EventKind, ResolveReason
from alerts.thresholds import DegradationConfig, Metric, Mode
from tests.alerts.builders import (
    DOWN,
    NOON,
    UP,
    Timeline,
    kinds,
    loud,
    make_id,
    make_llm,
    make_rule,
    make_samples,
)

TTFT, LATENCY, TPS = Metric.TTFT, Metric.LATENCY, Metric.TPS
QUARTER = timedelta(minutes=15)
ONLY_TTFT = DegradationConfig(metrics=(TTFT,))
STATIC = DegradationConfig(metrics=(TTFT,), mode=Mode.STATIC, static_limits={TTFT: 500.0})
DAY = 96


def make_performance(figures: Sequence[float | None], baseline: Baseline | None) -> Performance:
    return Performance(tuple(make_samples(figures)), {TTFT: baseline} if baseline else {})


def usual(median: float = 410.0, spread: float = 20.0, n: int = 100) -> Baseline:
    return Baseline(median, spread, n)


def pace_of(figures: Sequence[float | None], baseline: Baseline | None = None) -> Pace:
    return judge(make_performance(figures, baseline or usual()), ONLY_TTFT).pace


def make_series(
    seed: int, days: int, shift_at: int | None = None, factor: float = 1.0
) -> list[Sample]:
    """Checks every 15 minutes: a daily wave, correlated noise, one answer in fifty far too slow."""
    generator = random.Random(seed)
    base, token_ms = generator.uniform(200, 900), generator.uniform(8, 30)
    noise, samples = 0.0, []
    for i in range(days * DAY):
        noise = 0.3 * noise + math.sqrt(1 - 0.3**2) * generator.gauss(0, 1)
        slower = factor if shift_at is not None and i >= shift_at else 1.0
        wave = slower * (1 + 0.15 * math.sin(2 * math.pi * i / DAY))
        ttft = base * wave * math.exp(0.2 * noise)
        ttft *= generator.uniform(3, 10) if generator.random() < 0.02 else 1.0
        latency = ttft + 60 * token_ms * wave * math.exp(generator.gauss(0, 0.12))
        samples.append(Sample(NOON + i * QUARTER, ttft, latency, 60_000 / latency, "p"))
    return samples


@pytest.mark.parametrize(
    ("metric", "baseline", "slow", "fast", "recovery"),
    [
        (TTFT, Baseline(410, 83.33, 50), 660, 1230, 576.66),
        (TTFT, Baseline(1000, 10, 50), 1500, 3000, 1250),
        (TTFT, Baseline(50, 0, 50), 150, 450, 62.5),
        (TTFT, Baseline(20, 0, 50), 120, 420, 30),
        (LATENCY, Baseline(100, 0, 50), 350, 1100, 125),
        (LATENCY, Baseline(1000, 400, 50), 2200, 3000, 1800),
        (TPS, Baseline(20, 0, 50), 30, 60, 25),
        (TPS, Baseline(5, 0, 50), 13, 37, 6.25),
    ],
)
def test_the_limits_come_from_spread_ratio_and_delta_whichever_is_highest(
    metric: Metric, baseline: Baseline, slow: float, fast: float, recovery: float
) -> None:
    limits = limits_of(metric, baseline, DegradationConfig())

    assert limits is not None
    assert limits.slow == pytest.approx(slow, abs=0.1)
    assert limits.fast == pytest.approx(fast, abs=1)
    assert limits.recovery == pytest.approx(recovery, abs=0.1)
    assert limits.recovery <= limits.slow <= limits.fast


def test_an_alert_can_always_recover_before_it_could_fire() -> None:
    touchy = DegradationConfig(sigma=1.0, min_ratio=1.0, min_delta_ms=dict.fromkeys(Metric, 0.0))

    limits = limits_of(TTFT, usual(1000, 300), touchy)

    assert limits is not None
    assert limits.recovery <= limits.slow


@pytest.mark.parametrize(
    ("figures", "pace"),
    [
        ([410] * 9, Pace.NORMAL),
        ([700] * 9, Pace.DEGRADED),
        ([410] * 4 + [700] * 5, Pace.DEGRADED),
        ([410] * 5 + [700] * 4, Pace.BETWEEN),
        ([700] * 6 + [410] * 3, Pace.NORMAL),
        ([410] * 6 + [5000] * 3, Pace.DEGRADED),
        ([410] * 7 + [5000] * 2, Pace.NORMAL),
        ([550] * 9, Pace.BETWEEN),
        ([5000] * 5, Pace.DEGRADED),
        ([700] * 8, Pace.BETWEEN),
        ([5000] * 4, Pace.LEARNING),
        ([], Pace.LEARNING),
        ([None] * 9, Pace.LEARNING),
        ([None, 5000] * 5, Pace.DEGRADED),
    ],
)
def test_the_pace_of_the_last_checks(figures: list[float | None], pace: Pace) -> None:
    assert pace_of(figures) is pace


@pytest.mark.parametrize(("n", "pace"), [(19, Pace.LEARNING), (20, Pace.DEGRADED)])
def test_below_20_samples_the_baseline_is_being_learned(n: int, pace: Pace) -> None:
    assert pace_of([5000] * 9, usual(n=n)) is pace


def test_without_a_baseline_nothing_is_judged() -> None:
    assert judge(make_performance([5000] * 9, None), ONLY_TTFT).pace is Pace.LEARNING


def test_the_figures_are_said_in_one_sentence() -> None:
    performance = make_performance([1840.0] * 9, Baseline(410, 83.33, 50))

    worst = judge(performance, ONLY_TTFT).worst

    assert worst is not None
    assert worst.figures == (
        "TTFT median of the last 9 checks 1,840 ms, usual 410 ms (limit 660 ms)"
    )
    assert (worst.metric, worst.since) == (TTFT, NOON)


def test_a_sudden_slowness_is_told_by_the_last_five_checks() -> None:
    worst = judge(make_performance([410] * 4 + [9000] * 5, usual(n=30)), ONLY_TTFT).worst

    assert worst is not None
    assert worst.figures.startswith("TTFT median of the last 9 checks 9,000 ms")
    fast = judge(make_performance([9000] * 5, usual(n=30)), ONLY_TTFT).worst
    assert fast is not None
    assert fast.figures.startswith("TTFT median of the last 5 checks 9,000 ms")


def test_a_halved_throughput_is_found_and_told_in_tokens_per_second() -> None:
    samples = [Sample(NOON + i * QUARTER, tps=40.0 if i < 40 else 20.0) for i in range(49)]
    config = DegradationConfig(metrics=(TPS,))

    worst = judge(measure(samples, config), config).worst

    assert worst is not None
    assert worst.figures == (
        "Throughput median of the last 9 checks 20.0 tokens/s, "
        "usual 40.0 tokens/s (limit 26.7 tokens/s)"
    )


@pytest.mark.parametrize("tps", [None, 0.0, -1.0])
def test_a_throughput_of_nothing_is_unknown(tps: float | None) -> None:
    samples = [Sample(NOON, tps=tps)] * 40

    assert judge(measure(samples, DegradationConfig()), DegradationConfig()).pace is Pace.LEARNING


def test_the_worst_metric_is_the_one_furthest_above_its_limit() -> None:
    samples = [
        Sample(NOON + i * QUARTER, ttft_ms=400 * (1 + 2 * bad), latency_ms=2000 * (1 + 9 * bad))
        for i in range(49)
        for bad in [i >= 40]
    ]
    config = DegradationConfig()

    worst = judge(measure(samples, config), config).worst

    assert worst is not None
    assert worst.metric is LATENCY


@pytest.mark.parametrize(
    ("figures", "pace"),
    [
        ([501] * 9, Pace.DEGRADED),
        ([500] * 9, Pace.NORMAL),
        ([501] * 8, Pace.BETWEEN),
        ([1001] * 5, Pace.DEGRADED),
        ([900] * 6 + [400] * 3, Pace.NORMAL),
    ],
)
def test_a_static_limit_needs_no_baseline(figures: list[float], pace: Pace) -> None:
    assert judge(measure(make_samples(figures), STATIC), STATIC).pace is pace


def test_a_static_limit_tells_no_usual_value() -> None:
    worst = judge(measure(make_samples([700] * 9), STATIC), STATIC).worst

    assert worst is not None
    assert worst.figures == "TTFT median of the last 9 checks 700 ms (limit 500 ms)"


def test_the_baseline_leaves_out_the_newest_window() -> None:
    performance = measure(make_samples([100.0] * 30 + [900.0] * 9), ONLY_TTFT)

    assert performance.baselines == {TTFT: Baseline(100.0, 0.0, 30)}
    assert [sample.ttft_ms for sample in performance.recent] == [900.0] * 9


def test_the_baseline_leaves_out_what_is_too_old() -> None:
    old = make_samples([9000.0] * 50, start=NOON - timedelta(days=20))

    performance = measure([*old, *make_samples([100.0] * 39)], ONLY_TTFT)

    assert performance.baselines == {TTFT: Baseline(100.0, 0.0, 30)}


def test_the_baseline_leaves_out_the_intervals_of_earlier_alerts() -> None:
    samples = make_samples([100.0] * 20 + [900.0] * 30 + [100.0] * 29)
    alert = samples[20].at, samples[49].at

    assert measure(samples, ONLY_TTFT, excluded=[alert]).baselines[TTFT].n == 40
    still_open = measure(samples, ONLY_TTFT, excluded=[(samples[20].at, None)])
    assert still_open.baselines == {TTFT: Baseline(100.0, 0.0, 20)}


def test_the_baseline_of_an_open_alert_stays_what_it_was() -> None:
    samples = make_samples([100.0 + i % 7 for i in range(60)] + [900.0] * 400)
    opened_at = samples[64].at
    then = measure(samples[:65], ONLY_TTFT)

    now = measure(samples, ONLY_TTFT, frozen_at=opened_at)

    assert now.baselines == then.baselines
    assert judge(now, ONLY_TTFT).pace is Pace.DEGRADED


def test_only_samples_of_the_same_prompts_are_compared() -> None:
    other = make_samples([100.0] * 60, start=NOON - timedelta(days=1), pack="reasoning")
    ours = make_samples([900.0] * 12)

    performance = measure([*other, *ours], ONLY_TTFT)

    assert performance.baselines[TTFT].n == 3
    assert judge(performance, ONLY_TTFT).pace is Pace.LEARNING
    assert not performance.prompts_changed


def test_other_prompts_while_an_alert_is_open_leave_nothing_to_compare() -> None:
    before = make_samples([100.0] * 60, start=NOON - timedelta(days=1))
    after = make_samples([900.0] * 5, pack="reasoning")

    assert measure([*before, *after], ONLY_TTFT, frozen_at=before[-1].at).prompts_changed
    assert not measure(before, ONLY_TTFT, frozen_at=before[-1].at).prompts_changed


def test_no_samples_are_no_performance() -> None:
    assert measure([], ONLY_TTFT) == Performance(())


class SlowRounds:
    """Rounds of one LLM under one performance rule, with the samples the rows would hold."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.timeline = Timeline(rule)
        self.samples: list[Sample] = []
        self.heard: list[tuple[EventKind, str]] = []

    def play(self, figures: Sequence[float], llm: LLMFact | None = None) -> None:
        for figure in figures:
            self.samples += make_samples([figure], start=NOON + len(self.samples) * QUARTER)
            self.round(llm or make_llm(1, UP))

    def round(self, llm: LLMFact) -> None:
        at = (len(self.samples) - 1) * 15
        alerts = self.timeline.states.values()
        performance = measure(
            self.samples,
            self.rule.degradation,
            frozen_at=next((a.opened_at for a in alerts if a.is_open), None),
            excluded=[(a.opened_at, a.resolved_at) for a in alerts],
        )
        key = self.rule.rule_id, llm.llm_id
        evaluation = self.timeline.round(at, llm, performance={key: performance})
        self.heard += [(e.kind, e.message) for e in loud(evaluation)]


def make_slow_rule(target: int | None = None) -> Rule:
    return make_rule(
        RuleType.PERFORMANCE_DEGRADATION,
        degradation=ONLY_TTFT,
        target_llm_id=make_id(target) if target else None,
    )


def test_a_slow_llm_has_one_alert_until_it_is_fast_again() -> None:
    rounds = SlowRounds(make_slow_rule())

    rounds.play([400.0] * 40 + [800.0] * 20 + [400.0] * 20)

    assert rounds.heard == [
        (
            EventKind.OPENED,
            "model-1 (Provider 1) is slow since 2026-03-01 21:00 UTC: "
            "TTFT median of the last 9 checks 800 ms, usual 400 ms (limit 600 ms).",
        ),
        (
            EventKind.RESOLVED,
            "model-1 (Provider 1) is back to its usual pace, after 4 h 30 min.",
        ),
    ]
    assert rounds.timeline.only().scope == f"perf:{make_id(1)}"


def test_a_lasting_slowness_never_becomes_usual_by_itself() -> None:
    rounds = SlowRounds(make_slow_rule())

    rounds.play([400.0] * 40 + [1000.0] * 500)

    assert [kind for kind, _ in rounds.heard] == [EventKind.OPENED]
    assert rounds.timeline.open_scopes() == [f"perf:{make_id(1)}"]


def test_between_the_limits_an_alert_neither_opens_nor_ends() -> None:
    rounds = SlowRounds(make_slow_rule())

    rounds.play([400.0] * 40 + [550.0] * 20)
    assert rounds.timeline.open_scopes() == []
    rounds.play([900.0] * 9 + [550.0] * 20)
    assert rounds.timeline.open_scopes() == [f"perf:{make_id(1)}"]


def test_a_slow_llm_that_goes_down_is_no_longer_slow() -> None:
    rounds = SlowRounds(make_slow_rule())
    rounds.play([400.0] * 40 + [900.0] * 9)

    rounds.round(make_llm(1, DOWN))

    assert rounds.timeline.only().resolve_reason is ResolveReason.WENT_DOWN
    assert [kind for kind, _ in rounds.heard] == [EventKind.OPENED]


def test_a_slow_llm_without_data_stays_slow() -> None:
    rounds = SlowRounds(make_slow_rule())
    rounds.play([400.0] * 40 + [900.0] * 9)

    rounds.round(make_llm(1, None))

    assert rounds.timeline.only().is_open


def test_other_prompts_close_the_alert_without_a_message() -> None:
    rounds = SlowRounds(make_slow_rule())
    rounds.play([400.0] * 40 + [900.0] * 9)
    rounds.samples.append(replace(rounds.samples[-1], at=NOON + 49 * QUARTER, pack="reasoning"))

    rounds.round(make_llm(1, UP))

    assert rounds.timeline.only().resolve_reason is ResolveReason.PROMPTS_CHANGED
    assert len(rounds.heard) == 1


@pytest.mark.parametrize(("target", "opens"), [(None, True), (1, True), (2, False)])
def test_a_performance_rule_watches_all_llms_or_the_one_it_names(
    target: int | None, opens: bool
) -> None:
    rounds = SlowRounds(make_slow_rule(target))

    rounds.play([400.0] * 40 + [900.0] * 9)

    assert bool(rounds.timeline.open_scopes()) is opens


def test_an_llm_without_performance_facts_is_held() -> None:
    timeline = Timeline(make_slow_rule())

    assert kinds(timeline.round(0, make_llm(1, UP))) == []


def stepwise(samples: Sequence[Sample], config: DegradationConfig) -> list[tuple[int, int | None]]:
    """The episodes by judging afresh at every sample."""
    found: list[tuple[int, int | None]] = []
    start: int | None = None
    for i in range(len(samples)):
        excluded = [(samples[a].at, samples[b].at) for a, b in found if b is not None]
        frozen = None if start is None else samples[start].at
        seen = samples[: i + 1]
        pace = judge(measure(seen, config, frozen_at=frozen, excluded=excluded), config).pace
        if start is None and pace is Pace.DEGRADED:
            start = i
        elif start is not None and pace is Pace.NORMAL:
            found.append((start, i))
            start = None
    return found if start is None else [*found, (start, None)]


@pytest.mark.parametrize("seed", range(12))
def test_a_replay_is_what_the_rounds_would_have_said(seed: int) -> None:
    generator = random.Random(seed)
    level, figures = 400.0, []
    for _ in range(350):
        if generator.random() < 0.02:
            level = generator.choice([300.0, 400.0, 900.0, 2000.0])
        known = generator.random() > 0.03
        figures.append(level * generator.lognormvariate(0, 0.15) if known else None)
    samples = make_samples(figures, every=timedelta(hours=1))
    config = replace(ONLY_TTFT, baseline_days=5)

    episodes = replay(samples, config)

    assert [(e.started_at, e.ended_at) for e in episodes] == [
        (samples[a].at, None if b is None else samples[b].at) for a, b in stepwise(samples, config)
    ]


def test_a_replay_tells_when_and_what() -> None:
    samples = make_samples([400.0] * 40 + [800.0] * 20 + [400.0] * 20)

    assert replay(samples, ONLY_TTFT) == (
        Episode(
            started_at=samples[44].at,
            metric=TTFT,
            figures="TTFT median of the last 9 checks 800 ms, usual 400 ms (limit 600 ms)",
            ended_at=samples[62].at,
            end=EpisodeEnd.RECOVERED,
        ),
    )


def test_a_replay_shows_an_episode_that_is_still_open() -> None:
    [episode] = replay(make_samples([400.0] * 40 + [800.0] * 20), ONLY_TTFT)

    assert (episode.ended_at, episode.end) == (None, None)


def test_an_outage_ends_an_episode() -> None:
    samples = make_samples([400.0] * 40 + [800.0] * 20)
    outage = samples[50].at + timedelta(minutes=5)

    first, second = replay(samples, ONLY_TTFT, outages=[samples[3].at, outage])

    assert (first.ended_at, first.end) == (outage, EpisodeEnd.WENT_DOWN)
    assert second.started_at == samples[51].at


def test_other_prompts_end_an_episode_and_are_learned_first() -> None:
    slow = make_samples([400.0] * 40 + [800.0] * 9)
    other = make_samples([5000.0] * 25, start=slow[-1].at + QUARTER, pack="reasoning")

    [episode] = replay([*slow, *other], ONLY_TTFT)

    assert (episode.ended_at, episode.end) == (other[0].at, EpisodeEnd.PROMPTS_CHANGED)


def test_a_relapse_belongs_to_the_same_episode() -> None:
    minute = timedelta(minutes=1)
    figures = [400.0] * 40 + [900.0] * 12 + [400.0] * 4 + [900.0] * 12

    [joined] = replay(make_samples(figures, every=minute), ONLY_TTFT)
    apart = replay(make_samples(figures, every=timedelta(hours=1)), ONLY_TTFT)

    assert joined.ended_at is None
    assert len(apart) == 2


def test_a_static_rule_can_be_replayed_as_well() -> None:
    samples = make_samples([400.0] * 10 + [600.0] * 12 + [400.0] * 10)

    [episode] = replay(samples, STATIC)

    assert (episode.started_at, episode.ended_at) == (samples[14].at, samples[24].at)


@pytest.mark.parametrize(("min_samples", "episodes"), [(16, 1), (17, 0)])
def test_a_replayed_baseline_reaches_back_to_its_first_day(min_samples: int, episodes: int) -> None:
    config = replace(ONLY_TTFT, baseline_days=1, min_samples=min_samples)
    samples = make_samples([400.0] * 40 + [900.0] * 5, every=timedelta(hours=1))

    assert len(replay(samples, config)) == episodes


def test_nothing_to_replay_is_no_episode() -> None:
    assert replay([], ONLY_TTFT) == ()


def test_a_steady_llm_raises_about_one_false_episode_in_four_months() -> None:
    months = 20
    episodes = sum(len(replay(make_series(s, days=30), DegradationConfig())) for s in range(months))

    assert episodes / months <= 0.4


@pytest.mark.parametrize(("factor", "typical", "latest"), [(3.0, 5, 6), (2.0, 6, 8)])
def test_a_shift_is_found_within_a_few_checks(factor: float, typical: int, latest: int) -> None:
    shift_at = 10 * DAY
    shifted_from = NOON + shift_at * QUARTER
    needed = []
    for seed in range(25):
        samples = make_series(1_000 + seed, 11, shift_at, factor)
        found = replay(samples, DegradationConfig())
        first = next(e.started_at for e in found if e.started_at >= shifted_from)
        needed.append((first - shifted_from) // QUARTER + 1)

    assert sorted(needed)[12] <= typical
    assert max(needed) <= latest
