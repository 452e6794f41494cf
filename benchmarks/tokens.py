"""Is what a provider bills what it said? Its token counts against our estimate of the texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.models import BenchmarkResult, BenchmarkRun
from benchmarks.probing import MARK_TOKENS
from providers.measurement import Outcome
from providers.statistics.quantiles import median
from providers.tokens import estimate_tokens

# An outcome's text is cut here; of a longer one nothing can be said.
TEXT_LIMIT = 20_000


def estimate_of(outcome: Outcome) -> int | None:
    """Tokens of the answer's text by our estimate; None when there is no whole text."""
    if not outcome.ok or not 0 < len(outcome.text) < TEXT_LIMIT:
        return None
    return estimate_tokens(outcome.text)


def audit_of(run: BenchmarkRun, good: Sequence[BenchmarkResult]) -> dict[str, Any]:
    """Ratios of reported to estimated tokens. The estimate itself is off by up to 30 %."""
    reported = [result for result in good if result.token_source != "estimated"]  # noqa: S105
    prompt = _sent(run)
    return {
        "n_reported": len(reported),
        "n_estimated": len(good) - len(reported),
        "output_ratio": _middle(_output_ratios(reported)),
        "input_ratio": _middle(
            r.input_tokens / prompt for r in reported if r.input_tokens and prompt
        ),
        "n_mismatched": sum("usage_mismatch" in r.quality_flags for r in good),
    }


def _sent(run: BenchmarkRun) -> int:
    """Tokens of a prompt as it was sent, by our estimate; 0 when it is not known."""
    if not run.prompt:
        return 0
    return estimate_tokens(run.prompt) + (MARK_TOKENS if run.cache_busting else 0)


def _output_ratios(reported: Iterable[BenchmarkResult]) -> Iterable[float]:
    for result in reported:
        if result.answer_estimate and result.output_tokens:
            yield (result.output_tokens - (result.reasoning_tokens or 0)) / result.answer_estimate


def _middle(ratios: Iterable[float]) -> float | None:
    found = list(ratios)
    return median(found) if found else None
