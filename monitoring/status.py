"""From the attempts of one check to its status: up, degraded or down."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from providers.errors import FAULT, PASSING, ErrorClass, Fault

SENTENCE_LIMIT = 500

ProviderId = TypeVar("ProviderId", bound=Hashable)


class CheckStatus(StrEnum):
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


# The LLM answered, but not as it should: not an outage.
DEGRADING = frozenset(
    {
        ErrorClass.RATE_LIMITED,
        ErrorClass.NO_ANSWER,
        ErrorClass.CONTENT_FILTER,
        ErrorClass.ASSERTION,
    }
)

# Failures that a monitor without a network would see everywhere.
NO_NETWORK = frozenset({ErrorClass.DNS, ErrorClass.CONNECT, ErrorClass.TIMEOUT_CONNECT})
FEWEST_PROVIDERS_OFFLINE = 3


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange of a check; a failed one has an ``error_class``, a good one has none."""

    error_class: ErrorClass | None = None
    error: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.error_class is None


@dataclass(frozen=True, slots=True)
class LatencyLimits:
    """What the LLM's owner still calls healthy, in ms; None is no limit."""

    ttft_ms: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Pauses before each further attempt, in s: as many as there are further attempts."""

    pauses_s: tuple[float, ...] = (2.0, 5.0)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """``figures_index``: the good attempt whose figures count, None when every attempt failed."""

    status: CheckStatus
    error_class: ErrorClass | None
    counts_for_provider_uptime: bool
    error: str | None
    figures_index: int | None


@dataclass(frozen=True, slots=True)
class Retry:
    after_s: float


@dataclass(frozen=True, slots=True)
class Done:
    result: CheckResult


NO_LIMITS = LatencyLimits()
DEFAULT_CONFIRMATION = Confirmation()


def next_step(
    attempts: Sequence[Attempt],
    confirmation: Confirmation = DEFAULT_CONFIRMATION,
    limits: LatencyLimits = NO_LIMITS,
) -> Retry | Done:
    """Probe (again) after a pause, or the result. No attempt yet: probe now."""
    if not attempts:
        return Retry(0.0)
    if _is_worth_confirming(attempts[-1]) and len(attempts) <= len(confirmation.pauses_s):
        return Retry(confirmation.pauses_s[len(attempts) - 1])
    return Done(classify(attempts, limits))


def classify(attempts: Sequence[Attempt], limits: LatencyLimits = NO_LIMITS) -> CheckResult:
    """The result of a finished check; its last attempt decides.

    Raises ValueError without an attempt: no data is no result.
    """
    if not attempts:
        raise ValueError("A check without an attempt has no result.")
    if attempts[-1].ok:
        return _answered(attempts, limits)
    return _failed(attempts[-1])


def self_offline(results: Mapping[ProviderId, Collection[CheckResult]]) -> bool:
    """Whether one round's results, by provider, look like the monitor's own missing network.

    A provider counts as unreachable when none of its LLMs could even be connected to.
    """
    seen = [checks for checks in results.values() if checks]
    unreachable = sum(all(_has_no_network(check) for check in checks) for checks in seen)
    return unreachable >= FEWEST_PROVIDERS_OFFLINE and 2 * unreachable >= len(seen)


def _is_worth_confirming(attempt: Attempt) -> bool:
    return attempt.error_class in PASSING


def _has_no_network(check: CheckResult) -> bool:
    return check.status is CheckStatus.DOWN and check.error_class in NO_NETWORK


def _failed(attempt: Attempt) -> CheckResult:
    error_class = attempt.error_class
    assert error_class is not None
    return CheckResult(
        status=CheckStatus.DEGRADED if error_class in DEGRADING else CheckStatus.DOWN,
        error_class=error_class,
        counts_for_provider_uptime=FAULT[error_class] is Fault.PROVIDER,
        error=attempt.error,
        figures_index=None,
    )


def _answered(attempts: Sequence[Attempt], limits: LatencyLimits) -> CheckResult:
    good = attempts[-1]
    failed = [attempt for attempt in attempts if not attempt.ok]
    complaints = [*_retried(failed), *_broken_limits(good.figures, limits)]
    return CheckResult(
        status=CheckStatus.DEGRADED if complaints else CheckStatus.UP,
        error_class=failed[-1].error_class if failed else None,
        counts_for_provider_uptime=True,
        error=" ".join(complaints)[:SENTENCE_LIMIT] or None,
        figures_index=len(attempts) - 1,
    )


def _retried(failed: Sequence[Attempt]) -> list[str]:
    if not failed:
        return []
    last = failed[-1]
    return [f"Answered only at attempt {len(failed) + 1}, after: {last.error or last.error_class}"]


def _broken_limits(figures: Mapping[str, Any], limits: LatencyLimits) -> list[str]:
    judged = (
        ("TTFT", figures.get("ttft_ms"), limits.ttft_ms),
        ("Latency", figures.get("total_latency_ms"), limits.latency_ms),
    )
    return [
        f"{name} {value:,.0f} ms is above the limit of {limit:,.0f} ms."
        for name, value, limit in judged
        if value is not None and limit is not None and value > limit
    ]
