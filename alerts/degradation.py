"""Has an LLM become slower than it usually is? Medians against a frozen baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.thresholds import MILLISECONDS_PER_S, DegradationConfig, Metric, Mode
from providers.statistics.quantiles import quantile_of_sorted
from providers.statistics.running import MAD_TO_SIGMA, RunningSample

NEWEST_SAMPLES = 5
FAST_SIGMA, FAST_RATIO, FAST_DELTAS = 1.0, 2.0, 4.0
RECOVERY_SIGMA, RECOVERY_RATIO = 2.0, 1.25
STATIC_FAST_RATIO = 2.0
RELATIVE_SPREAD_FLOOR = 0.05
# A floor of 5 ms per token would hide a halved throughput of any fast LLM, so the one of tps
# is as small against its minimum delta as the others are.
SPREAD_FLOOR_MS: dict[Metric, float] = {Metric.TTFT: 5.0, Metric.LATENCY: 5.0, Metric.TPS: 0.4}

TITLES = {Metric.TTFT: "TTFT", Metric.LATENCY: "Latency", Metric.TPS: "Throughput"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One successful check; a figure is None when it is unknown. ``pack``: the prompts asked."""

    at: datetime
    ttft_ms: float | None = None
    latency_ms: float | None = None
    tps: float | None = None
    pack: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Median and 1.4826·MAD in ms (per token for tps), from ``n`` samples."""

    median: float
    spread: float
    n: int


@dataclass(frozen=True, slots=True)
class Performance:
    """The newest samples, oldest first, and what is usual.

    ``prompts_changed``: since an open alert began other prompts are asked, so that nothing is
    left to compare with.
    """

    recent: tuple[Sample, ...]
    baselines: Mapping[Metric, Baseline] = field(default_factory=dict)
    prompts_changed: bool = False


class Pace(StrEnum):
    LEARNING = "learning"
    NORMAL = "normal"
    BETWEEN = "between"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True)
class Degradation:
    """Medians and limits in ms (per token for tps); ``usual`` is None against a static limit."""

    metric: Metric
    current: float
    usual: float | None
    limit: float
    samples: int
    since: datetime

    @property
    def severity(self) -> float:
        return self.current / self.limit

    @property
    def figures(self) -> str:
        usual = "" if self.usual is None else f", usual {_shown(self.metric, self.usual)}"
        return (
            f"{TITLES[self.metric]} median of the last {self.samples} checks "
            f"{_shown(self.metric, self.current)}{usual} (limit {_shown(self.metric, self.limit)})"
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """``worst`` names the metric furthest above its limit while the pace is degraded."""

    pace: Pace
    worst: Degradation | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    slow: float
    fast: float
    recovery: float
    usual: float | None


Interval = tuple[datetime, datetime | None]


def measure(
    samples: Sequence[Sample],
    config: DegradationConfig,
    *,
    frozen_at: datetime | None = None,
    excluded: Sequence[Interval] = (),
) -> Performance:
    """Splits an LLM's samples (oldest first) into the newest window and the baseline.

    ``frozen_at``: opening of the alert that is open; the baseline stays what it was then.
    ``excluded``: intervals (from, until or None) of this scope's alerts.
    """
    if not samples:
        return Performance(())
    pack = samples[-1].pack
    alike = [sample for sample in samples if sample.pack == pack]
    recent = tuple(alike[-config.window_samples :])
    before = samples if frozen_at is None else [s for s in samples if s.at <= frozen_at]
    settled = [sample for sample in before if sample.pack == pack][: -config.window_samples]
    start = (frozen_at or samples[-1].at) - timedelta(days=config.baseline_days)
    kept = [s for s in settled if s.at >= start and not within(s.at, excluded)]
    changed = frozen_at is not None and bool(before) and before[-1].pack != pack
    return Performance(recent, baselines_of(kept, config.metrics), changed)


def baselines_of(samples: Iterable[Sample], metrics: Iterable[Metric]) -> dict[Metric, Baseline]:
    kept = list(samples)
    found = {metric: baseline_of(RunningSample(values(kept, metric))) for metric in metrics}
    return {metric: baseline for metric, baseline in found.items() if baseline is not None}


def baseline_of(sample: RunningSample) -> Baseline | None:
    if not len(sample):
        return None
    return Baseline(sample.median(), MAD_TO_SIGMA * sample.mad(), len(sample))


def value(sample: Sample, metric: Metric) -> float | None:
    """In ms, for tps in ms per token."""
    if metric is Metric.TTFT:
        return sample.ttft_ms
    if metric is Metric.LATENCY:
        return sample.latency_ms
    if sample.tps is None or sample.tps <= 0:
        return None
    return MILLISECONDS_PER_S / sample.tps


def values(samples: Iterable[Sample], metric: Metric) -> list[float]:
    found = [value(sample, metric) for sample in samples]
    return [known for known in found if known is not None]


def judge(performance: Performance, config: DegradationConfig) -> Judgement:
    """Degraded when any metric is, normal when all that could be judged are.

    Degraded and normal exclude each other, so a closed alert cannot reopen on the same samples.
    """
    found = [_judge_metric(metric, performance, config) for metric in config.metrics]
    judged = [each for each in found if each is not Pace.LEARNING]
    degraded = [each for each in judged if isinstance(each, Degradation)]
    if degraded:
        return Judgement(Pace.DEGRADED, max(degraded, key=lambda each: each.severity))
    if not judged:
        return Judgement(Pace.LEARNING)
    return Judgement(Pace.BETWEEN if Pace.BETWEEN in judged else Pace.NORMAL)


def limits_of(
    metric: Metric, baseline: Baseline | None, config: DegradationConfig
) -> Limits | None:
    """Where the metric starts and stops being degraded; None while its baseline is learned."""
    if config.mode is Mode.STATIC:
        limit = config.static_limits[metric]
        return Limits(limit, STATIC_FAST_RATIO * limit, limit, None)
    if baseline is None or baseline.n < config.min_samples:
        return None
    usual, delta = baseline.median, config.min_delta_ms[metric]
    spread = max(baseline.spread, RELATIVE_SPREAD_FLOOR * usual, SPREAD_FLOOR_MS[metric])
    sigma, ratio = config.sigma, config.min_ratio
    slow = max(usual + sigma * spread, ratio * usual, usual + delta)
    return Limits(
        slow=slow,
        fast=max(
            usual + (sigma + FAST_SIGMA) * spread,
            FAST_RATIO * ratio * usual,
            usual + FAST_DELTAS * delta,
        ),
        recovery=min(max(usual + RECOVERY_SIGMA * spread, RECOVERY_RATIO * usual), slow),
        usual=usual,
    )


def _judge_metric(
    metric: Metric, performance: Performance, config: DegradationConfig
) -> Degradation | Pace:
    limits = limits_of(metric, performance.baselines.get(metric), config)
    window = values(performance.recent, metric)[-config.window_samples :]
    if limits is None or len(window) < NEWEST_SAMPLES:
        return Pace.LEARNING
    newest = window[-NEWEST_SAMPLES:]
    now = _median(newest)
    if now <= limits.recovery:
        return Pace.NORMAL
    slow_now = _median(window)
    is_full = len(window) == config.window_samples
    if is_full and slow_now > limits.slow:
        since = _since(performance.recent, metric, len(window))
        return Degradation(metric, slow_now, limits.usual, limits.slow, len(window), since)
    if now > limits.fast:
        since = _since(performance.recent, metric, len(newest))
        return Degradation(metric, now, limits.usual, limits.fast, len(newest), since)
    return Pace.BETWEEN


def _median(figures: Sequence[float]) -> float:
    return quantile_of_sorted(sorted(figures), 0.5)


def _since(recent: Sequence[Sample], metric: Metric, samples: int) -> datetime:
    """When the oldest of the newest ``samples`` that know the metric was taken."""
    return [sample.at for sample in recent if value(sample, metric) is not None][-samples]


def within(moment: datetime, intervals: Sequence[Interval]) -> bool:
    return any(start <= moment and (end is None or moment <= end) for start, end in intervals)


def _shown(metric: Metric, figure: float) -> str:
    if metric is Metric.TPS:
        return f"{MILLISECONDS_PER_S / figure:,.1f} tokens/s"
    return f"{figure:,.0f} ms"
