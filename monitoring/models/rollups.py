from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Sum

from models_app.models import LLM

COUNTS = ("up", "degraded", "down", "excluded_degraded", "excluded_down")


class CheckRollupQuerySet(models.QuerySet["CheckRollup"]):
    def hourly(self) -> Self:
        return self.filter(span=CheckRollup.Span.HOUR)

    def daily(self) -> Self:
        return self.filter(span=CheckRollup.Span.DAY)

    def between(self, start: datetime | None, end: datetime | None) -> Self:
        """Those that begin in [start, end)."""
        rows = self
        if start is not None:
            rows = rows.filter(start__gte=start)
        if end is not None:
            rows = rows.filter(start__lt=end)
        return rows

    def checks(self, status: str | None = None) -> int:
        column = F(status) if status else F("up") + F("degraded") + F("down")
        return int(self.aggregate(n=Sum(column))["n"] or 0)


class CheckRollup(models.Model):
    """All checks of one LLM within one hour or one UTC day.

    The counts by status cover every check; `excluded_…` are those of them that say nothing about
    the provider. `ttft`, `latency` and `tps` are histograms as `monitoring.histograms` packs them.
    """

    class Span(models.TextChoices):
        HOUR = "h", "hour"
        DAY = "d", "day"

    llm = models.ForeignKey(LLM, models.CASCADE, related_name="+", db_index=False)
    span = models.CharField(max_length=1, choices=Span.choices)
    start = models.DateTimeField()
    up = models.PositiveIntegerField(default=0)
    degraded = models.PositiveIntegerField(default=0)
    down = models.PositiveIntegerField(default=0)
    excluded_degraded = models.PositiveIntegerField(default=0)
    excluded_down = models.PositiveIntegerField(default=0)
    priced = models.PositiveIntegerField(default=0, help_text="Checks whose cost is known.")
    cost = models.DecimalField(max_digits=20, decimal_places=10, default=0, help_text="USD.")
    ttft = models.BinaryField(default=bytes)
    latency = models.BinaryField(default=bytes)
    tps = models.BinaryField(default=bytes)

    objects = CheckRollupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["llm", "span", "start"], name="rollup_once_per_span")
        ]
        indexes = [
            # Sums over all LLMs are read from the index alone.
            models.Index(fields=["span", "start", *COUNTS[:3]], name="rollup_counts_by_time")
        ]

    def __str__(self) -> str:
        return f"{self.llm_id} {self.start:%Y-%m-%d %H:%M} {self.get_span_display()}"


class CheckTotal(models.Model):
    """All checks of all LLMs within one hour or one UTC day: what the long lists count by."""

    span = models.CharField(max_length=1, choices=CheckRollup.Span.choices)
    start = models.DateTimeField()
    up = models.PositiveBigIntegerField(default=0)
    degraded = models.PositiveBigIntegerField(default=0)
    down = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["span", "start"], name="total_once")]

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} {self.get_span_display()}"


class Recount(models.Model):
    """An LLM was deleted with its checks: the totals are not true until they are made anew."""

    asked_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"asked for at {self.asked_at:%Y-%m-%d %H:%M}"


class Spending(models.Model):
    """What probes of one calendar month (UTC) have cost; it outlives models that are deleted."""

    month = models.DateField(primary_key=True, help_text="Its first day.")
    usd = models.DecimalField(max_digits=20, decimal_places=10, default=0)

    class Meta:
        ordering = ["-month"]
        verbose_name_plural = "spending"

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.usd} USD"
