from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from benchmarks.engine import Arrivals

MAX_ITERATIONS = 1_000
MAX_TOKENS = 4_096
MAX_CONCURRENCY = 64
MIN_RATE, MAX_RATE = 0.001, 100.0
MAX_TIME_LIMIT_S = 7 * 24 * 3600
ARRIVALS = [(kind.value, kind.value.capitalize()) for kind in Arrivals]


class RunSettings(models.Model):
    """How LLMs are asked: the same for a single run and for the runs of a schedule."""

    prompt_pack = models.CharField(max_length=64)
    max_tokens = models.PositiveIntegerField(
        default=200, validators=[MinValueValidator(1), MaxValueValidator(MAX_TOKENS)]
    )
    num_runs = models.PositiveIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(MAX_ITERATIONS)]
    )
    concurrency_per_llm = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CONCURRENCY)],
        help_text="Requests to one LLM at the same time.",
    )
    request_rate = models.FloatField(
        null=True,
        blank=True,
        help_text="Requests per second and LLM, whether or not the earlier ones were answered.",
    )
    arrivals = models.CharField(
        max_length=10,
        choices=ARRIVALS,
        default=Arrivals.POISSON.value,
    )
    cache_busting = models.BooleanField(
        default=True, help_text="A mark of its own in front of each prompt: no prefix is cached."
    )
    model_time_limit_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="Time that the requests to one LLM may take together."
    )
    run_time_limit_s = models.PositiveIntegerField(null=True, blank=True)
    slo = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True

    SETTINGS: tuple[str, ...] = (
        "prompt_pack",
        "max_tokens",
        "num_runs",
        "concurrency_per_llm",
        "request_rate",
        "arrivals",
        "cache_busting",
        "model_time_limit_s",
        "run_time_limit_s",
        "slo",
    )

    def settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.SETTINGS}
