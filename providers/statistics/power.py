"""What a comparison could have seen, and how many runs the next one needs.

Normal approximation on logarithms (effects are factors), with Guenther's small-sample term z²/4
and the Mann-Whitney test's asymptotic efficiency 3/π against the t-test.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from providers.statistics.intervals import normal_quantile
from providers.statistics.ranks import smallest_p

EFFICIENCY = 3 / math.pi
POWER = 0.8


def log_spread(samples: Iterable[Sequence[float]]) -> float | None:
    """Pooled standard deviation of the logarithms inside each sample.

    The stored variation of an LLM: give it the samples of earlier runs. None when no sample
    has two values; raises ValueError for a value that is not positive.
    """
    squares, freedom = 0.0, 0
    for sample in samples:
        if not sample:
            continue
        logs = [math.log(value) for value in sample]
        mean = math.fsum(logs) / len(logs)
        squares += math.fsum((value - mean) ** 2 for value in logs)
        freedom += len(logs) - 1
    return math.sqrt(squares / freedom) if freedom else None


def minimum_detectable_effect(
    spread: float,
    n_baseline: int,
    n_current: int,
    *,
    alpha: float = 0.05,
    power: float = POWER,
    min_effect: float = 0.0,
) -> float | None:
    """The smallest relative change (0.2 = 20 %) that gets a verdict with probability ``power``.

    Its estimate must be significant and above ``min_effect``. ``spread`` is a ``log_spread``. None
    when these sizes can never reach ``alpha``.
    """
    if min(n_baseline, n_current) < 1 or smallest_p(n_baseline, n_current) > alpha:
        return None
    harmonic = 2 * n_baseline * n_current / (n_baseline + n_current)
    effective = harmonic * EFFICIENCY - _small_sample_term(alpha)
    if effective <= 0:
        return None
    error = spread * math.sqrt(2 / effective)
    hurdle = max(normal_quantile(1 - alpha / 2) * error, math.log1p(min_effect))
    return math.expm1(hurdle + normal_quantile(power) * error)


def runs_needed(
    spread: float,
    effect: float,
    *,
    alpha: float = 0.05,
    power: float = POWER,
    min_effect: float = 0.0,
) -> int:
    """Runs on each side until a relative change of ``effect`` gets a verdict with ``power``.

    Never fewer than can be significant at all. Raises ValueError for an effect that no number of
    runs can show: zero, or not above ``min_effect``.
    """
    if effect <= max(min_effect, 0.0):
        raise ValueError("The change to be found must be above the smallest one that counts.")
    certain = normal_quantile(power)
    reach = math.log1p(effect)
    # In units of the standard error: significant, and above the smallest effect.
    significant = (normal_quantile(1 - alpha / 2) + certain) / reach
    large = certain / (reach - math.log1p(min_effect))
    wanted = 2 * (max(significant, large) * spread) ** 2
    return max(fewest_runs(alpha), math.ceil((wanted + _small_sample_term(alpha)) / EFFICIENCY))


def fewest_runs(alpha: float) -> int:
    """The least runs per side whose exact test can reach ``alpha``: 4 at 0.05."""
    n = 1
    while smallest_p(n, n) > alpha:
        n += 1
    return n


def _small_sample_term(alpha: float) -> float:
    return normal_quantile(1 - alpha / 2) ** 2 / 4
