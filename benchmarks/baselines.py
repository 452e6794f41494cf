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
from providers.statistics.intervals import normal_quantile
from providers.statistics.power import POWER
from providers.statistics.quantiles import median
from providers.statistics.students import student_quantile
from providers.statistics.summary import Better

FEWEST_RUNS = 3
FEWEST_VALUES = 3
# Beyond e^50 nothing is usual any more, and exp would overflow.
BEYOND = 50.0
# Chance that a run of an unchanged schedule raises an alarm: well below the 5 % that are promised,
# since levels have heavier tails than the normal ones that Student's t is made for.
FALSE_ALARMS = 0.02


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one metric of one LLM: of each earlier run, and of the newest."""

    earlier: Sequence[Sequence[float]]
    current: Sequence[float]
    better: Better = Better.LOWER
    limits: Limits = DEFAULT_LIMITS
    invalid_reason: str | None = None
    fewest_runs: int = FEWEST_RUNS

    @property
    def levels(self) -> list[float]:
        """The medians of the earlier runs that have enough values."""
        return [median(values) for values in self.earlier if len(values) >= FEWEST_VALUES]

    @property
    def pooled(self) -> list[float]:
        """All values of the earlier runs; none while the runs are too few."""
        is_enough = len(self.levels) >= self.fewest_runs
        return list(chain.from_iterable(self.earlier)) if is_enough else []


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
    verdicts = compare_many([_pair(one) for one in series])
    tested = sum(verdict.p is not None for verdict in verdicts)
    return [_judged(one, verdict, tested) for one, verdict in zip(series, verdicts, strict=True)]


def usual_spread(levels: Sequence[float], alpha: float) -> float:
    """The prediction limit of one more run's median, as a relative change.

    Raises ValueError for fewer than two levels, or one that is not positive.
    """
    return math.expm1(min(_log_limit(levels, alpha)[0], BEYOND))


def _log_limit(levels: Sequence[float], alpha: float) -> tuple[float, float]:
    """With the spread of the levels, both as logarithms."""
    spread, freedom = stdev(map(math.log, levels)), len(levels) - 1
    t = student_quantile(1 - alpha, freedom)
    return t * spread * math.sqrt(1 + 1 / len(levels)), spread


def _pair(series: Series) -> Pair:
    return Pair(
        series.pooled,
        series.current,
        series.better,
        series.invalid_reason,
        min_effect=series.limits.effect,
    )


def _judged(series: Series, verdict: Verdict, tested: int) -> Judgement:
    levels = series.levels
    if verdict.state is VerdictState.NO_BASELINE and series.fewest_runs:
        needed = (
            f"{series.fewest_runs} earlier runs that are needed, of {FEWEST_VALUES} values each"
        )
        sentence = f"{len(levels)} of the {needed}."
        return Judgement(replace(verdict, reason=sentence), len(levels))
    if verdict.ratio is None or len(levels) < FEWEST_RUNS:
        return Judgement(verdict, len(levels))
    alpha = FALSE_ALARMS / tested
    usual = usual_spread(levels, alpha)
    found = verdict.minimum_detectable_effect
    if found is not None:
        detectable = max(found, _detectable(levels, alpha))
        verdict = replace(verdict, minimum_detectable_effect=detectable)
    if verdict.state in (VerdictState.SLOWER, VerdictState.FASTER):
        verdict = _weighed(verdict, _level_change(levels, series.current), usual)
    return Judgement(verdict, len(levels), usual)


def _detectable(levels: Sequence[float], alpha: float) -> float:
    """The change of a level that lies beyond the limit with the usual power, wandering included."""
    limit, spread = _log_limit(levels, alpha)
    return math.expm1(min(limit + normal_quantile(POWER) * spread, BEYOND))


def _level_change(levels: Sequence[float], current: Sequence[float]) -> float:
    """The newest median over the geometric mean of the earlier ones: a factor."""
    usual = math.fsum(math.log(level) for level in levels) / len(levels)
    return median(current) / math.exp(usual)


def _weighed(verdict: Verdict, change: float, usual: float) -> Verdict:
    is_slower = verdict.ratio is not None and verdict.ratio.value > 1
    if max(change, 1 / change) - 1 > usual and (change > 1) == is_slower:
        return verdict
    reason = f"A level of {(change - 1) * 100:+.1f} % is within what the earlier runs differ"
    return replace(
        verdict,
        state=VerdictState.NO_DETECTABLE_DIFFERENCE,
        reason=f"{reason} (up to {usual * 100:.1f} %).",
    )
