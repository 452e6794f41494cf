"""Is the newest run of a schedule slower than the ones before it? Decided without a database.

Within one run the values scatter little, from day to day the level of a provider wanders. A test
over pooled values alone would call every other day a regression. So a change counts only when it
is significant, large enough, and also beyond what the earlier runs differ among themselves: the
upper prediction limit of one more run, from the logarithms of their medians (Student's t; the
error is shared among all tests of the run, Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import stdev

from providers.statistics.comparison import (
    DEFAULT_LIMITS,
    Limits,
    Pair,
    Verdict,
    VerdictState,
    compare_many,
)
from providers.statistics.quantiles import median
from providers.statistics.students import student_quantile
from providers.statistics.summary import Better

FEWEST_RUNS = 3
FEWEST_VALUES = 3
# Chance that a run of an unchanged schedule raises an alarm: below the 5 % that are promised,
# since levels are not quite normal.
FALSE_ALARMS = 0.04


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one metric of one LLM: of each earlier run, and of the newest."""

    earlier: Sequence[Sequence[float]]
    current: Sequence[float]
    better: Better = Better.LOWER
    limits: Limits = DEFAULT_LIMITS
    invalid_reason: str | None = None

    @property
    def baseline(self) -> list[Sequence[float]]:
        return [values for values in self.earlier if len(values) >= FEWEST_VALUES]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`usual_spread` is how far one more run may lie from the others: 0.08 is 8 %."""

    verdict: Verdict
    n_runs: int
    usual_spread: float | None = None

    @property
    def is_regression(self) -> bool:
        return self.verdict.state is VerdictState.SLOWER


def judge(series: Sequence[Series]) -> list[Judgement]:
    """One judgement for each, in order; the chance of any false alarm is shared among them."""
    # Each compares with its own smallest effect, so Holm is asked with none and that comes after.
    pairs = [_pair(one) for one in series]
    verdicts = compare_many(pairs, Limits(min_effect=0.0))
    tested = sum(verdict.p is not None for verdict in verdicts)
    return [_judged(one, verdict, tested) for one, verdict in zip(series, verdicts, strict=True)]


def usual_spread(runs: Sequence[Sequence[float]], alpha: float) -> float | None:
    """The prediction limit of one more run's median, as a relative change."""
    medians = [median(values) for values in runs]
    if len(medians) < FEWEST_RUNS or min(medians) <= 0:
        return None
    spread = stdev(map(math.log, medians))
    t = student_quantile(1 - alpha, len(medians) - 1)
    # Beyond e^50 nothing is usual any more, and exp would overflow.
    return math.expm1(min(t * spread * math.sqrt(1 + 1 / len(medians)), 50.0))


def _pair(series: Series) -> Pair:
    runs = series.baseline
    pooled = list(chain.from_iterable(runs)) if len(runs) >= FEWEST_RUNS else []
    return Pair(pooled, series.current, series.better, series.invalid_reason)


def _judged(series: Series, verdict: Verdict, tested: int) -> Judgement:
    runs = series.baseline
    if verdict.state is VerdictState.NO_BASELINE:
        sentence = f"{len(runs)} of the {FEWEST_RUNS} earlier runs that are needed."
        return Judgement(replace(verdict, reason=sentence), len(runs))
    if verdict.ratio is None:
        return Judgement(verdict, len(runs))
    usual = usual_spread(runs, FALSE_ALARMS / tested)
    if verdict.state in (VerdictState.SLOWER, VerdictState.FASTER):
        verdict = _weighed(verdict, _level_change(runs, series.current), series.limits, usual)
    return Judgement(verdict, len(runs), usual)


def _level_change(runs: Sequence[Sequence[float]], current: Sequence[float]) -> float:
    """The newest median over the geometric mean of the earlier ones: a factor."""
    usual = math.fsum(math.log(median(values)) for values in runs) / len(runs)
    return median(current) / math.exp(usual)


def _weighed(verdict: Verdict, change: float, limits: Limits, usual: float | None) -> Verdict:
    factor = verdict.ratio.value if verdict.ratio else 1.0
    if _size(factor) <= limits.effect:
        reason = f"A change of {_percent(factor)} is not above the {limits.effect * 100:g} % that "
        return _unchanged(verdict, reason + "counts.")
    if usual is None or _size(change) <= usual or (change > 1) != (factor > 1):
        reason = f"A level of {_percent(change)} is within what the earlier runs differ"
        return _unchanged(verdict, f"{reason} (up to {(usual or 0) * 100:.1f} %).")
    return verdict


def _unchanged(verdict: Verdict, reason: str) -> Verdict:
    return replace(verdict, state=VerdictState.NO_DETECTABLE_DIFFERENCE, reason=reason)


def _size(factor: float) -> float:
    return max(factor, 1 / factor) - 1


def _percent(factor: float) -> str:
    return f"{(factor - 1) * 100:+.1f} %"
