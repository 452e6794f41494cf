from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

MAX_TOKENS = 20_000
MAX_MS = 3_600_000.0
STATUS_FAILURE = re.compile(r"status-([45]\d\d)")

REASONING_STYLES = ("reasoning_content", "reasoning", "think-tags", "hidden")
REASONING_USAGES = ("included", "extra")
USAGES = ("stream", "final", "cumulative", "none")
KINDS = ("words", "unicode", "tool")

REFUSALS = frozenset(
    {"insufficient-quota", "echo-key", "echo-key-masked", "content-filter-400"},
)
PARAMETER_REFUSALS = frozenset({"refuse-stream-options", "refuse-max-tokens", "refuse-temperature"})
CUTS = frozenset({"truncated", "ended-early", "reset", "error-event", "stall"})
SHAPES = frozenset(
    {"empty", "html", "json-not-sse", "hang", "hang-after-headers", "content-filter"}
    | {"thinking-only", "no-done", "comments", "split", "merged"},
)
FAILURES = REFUSALS | PARAMETER_REFUSALS | CUTS | SHAPES

CHOICES = {
    "reasoning_style": REASONING_STYLES,
    "reasoning_usage": REASONING_USAGES,
    "usage": USAGES,
    "kind": KINDS,
}
INTEGERS = {
    "tokens": (0, MAX_TOKENS),
    "tokens_per_chunk": (1, MAX_TOKENS),
    "reasoning_tokens": (0, MAX_TOKENS),
    "cached_tokens": (0, 10_000_000),
    "stall_after_tokens": (0, MAX_TOKENS),
    "seed": (0, 2**63),
    "fail_first": (0, 1_000_000),
    "fail_after_tokens": (0, MAX_TOKENS),
    "retry_after_s": (0, 86_400),
}
NUMBERS = {
    "ttft_ms": (0.0, MAX_MS),
    "gap_ms": (0.0, MAX_MS),
    "headers_ms": (0.0, MAX_MS),
    "stall_ms": (0.0, MAX_MS),
    "jitter_ms": (0.0, MAX_MS),
    "ttft_jitter_ms": (0.0, MAX_MS),
    "drift_ms": (0.0, MAX_MS),
    "drift_period_s": (0.001, 86_400.0),
    "failure_rate": (0.0, 1.0),
}
_OPTIONAL = frozenset({"fail_first", "fail_after_tokens", "stall_after_tokens"})


class BehaviourError(ValueError):
    """A behaviour nobody can play; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one simulated model answers.

    `gap_ms` lies between chunks, each of `tokens_per_chunk` tokens. `failure` is one name of
    `FAILURES` or `status-NNN`, or several joined by "+". It strikes with `failure_rate`, or only
    the first `fail_first` requests. Cuts strike after `fail_after_tokens` (default: half way).
    """

    ttft_ms: float = 200.0
    gap_ms: float = 20.0
    tokens: int = 50
    tokens_per_chunk: int = 1
    headers_ms: float = 0.0
    reasoning_tokens: int = 0
    reasoning_style: str = "reasoning_content"
    reasoning_usage: str = "included"
    cached_tokens: int = 0
    usage: str = "stream"
    kind: str = "words"
    answer: str | None = None
    stall_after_tokens: int | None = None
    stall_ms: float = 0.0
    jitter_ms: float = 0.0
    ttft_jitter_ms: float = 0.0
    seed: int = 0
    drift_ms: float = 0.0
    drift_period_s: float = 600.0
    failure: str | None = None
    failure_rate: float = 1.0
    fail_first: int | None = None
    fail_after_tokens: int | None = None
    retry_after_s: int = 20

    def __post_init__(self) -> None:
        for name, (low, high) in INTEGERS.items():
            _check_integer(name, getattr(self, name), low, high)
        for name, (least, most) in NUMBERS.items():
            _check_number(name, getattr(self, name), least, most)
        for name, allowed in CHOICES.items():
            _check_choice(name, getattr(self, name), allowed)
        _check_answer(self.answer)
        _check_failure(self.failure)

    def faults(self, nth: int) -> frozenset[str]:
        """The failures that strike the nth request (from 1); the same seed strikes the same."""
        names = _fault_names(self.failure)
        if not names or (self.fail_first is not None and nth > self.fail_first):
            return frozenset()
        if self.failure_rate < 1.0 and self.dice(nth, "fault").random() >= self.failure_rate:
            return frozenset()
        return names

    def dice(self, nth: int, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}:{nth}:{purpose}")  # noqa: S311 - repeatable on purpose

    @property
    def varies(self) -> bool:
        return bool(self.jitter_ms or self.ttft_jitter_ms or self.drift_ms)


def _fault_names(failure: str | None) -> frozenset[str]:
    return frozenset(failure.split("+")) if failure else frozenset()


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if value is None and name in _OPTIONAL:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BehaviourError(f"{name} must be a whole number from {low} to {high}.")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if (
        not isinstance(value, (int, float))
        or isinstance(value, bool)
        or not math.isfinite(value)
        or not low <= value <= high
    ):
        raise BehaviourError(f"{name} must be a number from {low:g} to {high:g}.")


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BehaviourError(f"{name} must be one of {', '.join(allowed)}.")


def _check_answer(answer: object) -> None:
    if answer is None:
        return
    if not isinstance(answer, str) or len(answer) > 100_000:
        raise BehaviourError("answer must be a text of at most 100,000 characters.")
    try:
        answer.encode()
    except UnicodeEncodeError as exc:
        raise BehaviourError("answer holds characters that cannot be sent as UTF-8.") from exc


def _check_failure(failure: object) -> None:
    if failure is None:
        return
    if not isinstance(failure, str):
        raise BehaviourError("failure must be a text or null.")
    for fault in failure.split("+"):
        if fault not in FAILURES and not STATUS_FAILURE.fullmatch(fault):
            raise BehaviourError(
                f"Unknown failure {fault[:60]!r}; known: status-400 to status-599, "
                f"{', '.join(sorted(FAILURES))}.",
            )
