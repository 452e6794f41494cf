"""Is one LLM faster than another, or than its own baseline? A verdict with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from providers.statistics.power import log_spread, minimum_detectable_effect
from providers.statistics.ranks import RankTest, brunner_munzel, mann_whitney, smallest_p
from providers.statistics.shifts import Estimate, ratio, shift
from providers.statistics.summary import Better

FEWEST_VALUES = 3


class VerdictState(StrEnum):
    FASTER = "faster"
    SLOWER = "slower"
    NO_DETECTABLE_DIFFERENCE = "no_detectable_difference"
    INCONCLUSIVE = "inconclusive"
    NO_BASELINE = "no_baseline"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a difference counts: adjusted p at most ``alpha`` and an effect above both errors.

    ``calibrated_error`` is this installation's own error as a share of the values (0.02 = 2 %).
    """

    alpha: float = 0.05
    min_effect: float = 0.05
    calibrated_error: float = 0.0

    @property
    def effect(self) -> float:
        return max(self.min_effect, self.calibrated_error)


@dataclass(frozen=True, slots=True)
class Pair:
    """Values of one metric: ``current`` is judged against ``baseline`` (several runs, pooled).

    ``min_effect`` goes before that of the limits.
    """

    baseline: Sequence[float]
    current: Sequence[float]
    better: Better = Better.LOWER
    invalid_reason: str | None = None
    min_effect: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``p`` as tested, ``p_adjusted`` after Holm; ``ratio`` is current over baseline.

    ``p_robust``, after Holm too, allows for sides that spread differently (Brunner-Munzel).
    """

    state: VerdictState
    reason: str
    n_baseline: int
    n_current: int
    p: float | None = None
    p_adjusted: float | None = None
    p_robust: float | None = None
    ratio: Estimate | None = None
    shift: Estimate | None = None
    minimum_detectable_effect: float | None = None


DEFAULT_LIMITS = Limits()


def compare(pair: Pair, limits: Limits = DEFAULT_LIMITS) -> Verdict:
    return compare_many([pair], limits)[0]


def compare_many(pairs: Sequence[Pair], limits: Limits = DEFAULT_LIMITS) -> list[Verdict]:
    """One verdict per pair, in order; the p of all pairs that could be tested share one Holm.

    A pair whose sizes cannot reach ``alpha`` alone is not tested and takes no share; one that
    cannot reach it in this company is inconclusive.
    """
    verdicts = {i: _refusal(pair, limits.alpha) for i, pair in enumerate(pairs)}
    tested = [i for i, verdict in verdicts.items() if verdict is None]
    evidence = _tested([pairs[i] for i in tested], limits.alpha)
    for i, found in zip(tested, evidence, strict=True):
        verdicts[i] = _judged(pairs[i], found, limits)
    return [verdict for verdict in verdicts.values() if verdict is not None]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for done, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - done) * p_values[place]))
        adjusted[place] = running
    return adjusted


def _refusal(pair: Pair, alpha: float) -> Verdict | None:
    sizes = len(pair.baseline), len(pair.current)
    if pair.invalid_reason is not None:
        return Verdict(VerdictState.INVALID, pair.invalid_reason, *sizes)
    if not pair.baseline:
        return Verdict(
            VerdictState.NO_BASELINE, "The other side has no value to compare with.", *sizes
        )
    if min(sizes) < FEWEST_VALUES or smallest_p(*sizes) > alpha:
        return Verdict(VerdictState.INCONCLUSIVE, _too_few(*sizes, alpha), *sizes)
    return None


def _too_few(n_baseline: int, n_current: int, alpha: float) -> str:
    return (
        f"{n_current} against {n_baseline} values can never be significant at {alpha:g}: "
        "more runs are needed."
        if min(n_baseline, n_current) >= FEWEST_VALUES
        else f"{n_current} against {n_baseline} values: at least {FEWEST_VALUES} on each side "
        "are needed."
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    test: RankTest
    p_adjusted: float
    p_robust: float
    can_reach_alpha: bool
    alpha_share: float


def _tested(pairs: Sequence[Pair], alpha: float) -> list[_Evidence]:
    tests = [mann_whitney(pair.baseline, pair.current) for pair in pairs]
    adjusted = holm([test.p for test in tests])
    robust = holm([brunner_munzel(pair.baseline, pair.current) for pair in pairs])
    best_cases = holm([smallest_p(len(pair.baseline), len(pair.current)) for pair in pairs])
    return [
        _Evidence(test, p, p_robust, best_case <= alpha, alpha / len(pairs))
        for test, p, p_robust, best_case in zip(tests, adjusted, robust, best_cases, strict=True)
    ]


def _judged(pair: Pair, evidence: _Evidence, limits: Limits) -> Verdict:
    sizes = len(pair.baseline), len(pair.current)
    factor = ratio(pair.baseline, pair.current)
    if factor is None:
        reason = "A value is zero or negative, so there is no ratio."
        return Verdict(VerdictState.INVALID, reason, *sizes)
    limits = limits if pair.min_effect is None else replace(limits, min_effect=pair.min_effect)
    state = _state(factor.value, evidence, pair.better, limits)
    return Verdict(
        state,
        _reason(state, factor.value, evidence, limits),
        *sizes,
        p=evidence.test.p,
        p_adjusted=evidence.p_adjusted,
        p_robust=evidence.p_robust,
        ratio=factor,
        shift=shift(pair.baseline, pair.current),
        minimum_detectable_effect=_detectable(pair, evidence.alpha_share, limits.effect),
    )


def _state(factor: float, evidence: _Evidence, better: Better, limits: Limits) -> VerdictState:
    if not evidence.can_reach_alpha:
        return VerdictState.INCONCLUSIVE
    # The larger of the factor and its inverse, so that A:B and B:A get mirrored verdicts.
    is_large = max(factor, 1 / factor) - 1 > limits.effect
    is_chance = max(evidence.p_adjusted, evidence.p_robust) > limits.alpha
    if is_chance or not is_large:
        return VerdictState.NO_DETECTABLE_DIFFERENCE
    is_faster = (factor < 1) == (better is Better.LOWER)
    return VerdictState.FASTER if is_faster else VerdictState.SLOWER


def _reason(state: VerdictState, factor: float, evidence: _Evidence, limits: Limits) -> str:
    change = f"{(factor - 1) * 100:+.1f} %"
    p = _p_text(evidence.p_adjusted)
    if state is VerdictState.INCONCLUSIVE:
        return "So few values in so many comparisons can never be significant: more runs needed."
    if state is not VerdictState.NO_DETECTABLE_DIFFERENCE:
        return f"The typical value changed by {change} (adjusted p {p})."
    if evidence.p_adjusted > limits.alpha:
        return f"A change of {change} is within chance (adjusted p {p})."
    if evidence.p_robust > limits.alpha:
        p = _p_text(evidence.p_robust)
        return f"The sides spread so differently that {change} is within chance (adjusted p {p})."
    return f"A change of {change} is not above the {limits.effect * 100:g} % that counts."


def _p_text(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def _detectable(pair: Pair, alpha: float, min_effect: float) -> float | None:
    spread = log_spread([pair.baseline, pair.current])
    if spread is None:
        return None
    sizes = len(pair.baseline), len(pair.current)
    return minimum_detectable_effect(spread, *sizes, alpha=alpha, min_effect=min_effect)
