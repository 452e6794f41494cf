from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from arguslm.api.ids import new_id
from providers.models import ProviderAccount


class LLMQuerySet(models.QuerySet["LLM"]):
    def matching(self, text: str) -> LLMQuerySet:
        """Whose identifier or custom name holds `text`, in any case and literally."""
        return self.filter(Q(upstream_id__icontains=text) | Q(custom_name__icontains=text))

    def monitored(self) -> LLMQuerySet:
        return self.filter(enabled_for_monitoring=True, account__enabled=True)


class LLM(models.Model):
    class Source(models.TextChoices):
        DISCOVERED = "discovered"
        MANUAL = "manual"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(ProviderAccount, models.CASCADE, related_name="llms")
    upstream_id = models.CharField(max_length=255, help_text="The provider's own identifier.")
    custom_name = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - null is on the wire
    source = models.CharField(max_length=20, choices=Source.choices, default=Source.MANUAL)
    enabled_for_monitoring = models.BooleanField(default=False)
    enabled_for_benchmark = models.BooleanField(default=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = LLMQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        verbose_name = "LLM"
        constraints = [
            models.UniqueConstraint(fields=["account", "upstream_id"], name="llm_once_per_account")
        ]
        indexes = [
            models.Index(
                fields=["account"], name="llm_monitored", condition=Q(enabled_for_monitoring=True)
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.custom_name or self.upstream_id


class Measured(models.Model):
    """The figures of one exchange with an LLM; `providers.measurement` defines each of them.

    Null means unknown. Times are in milliseconds, rates in tokens per second, cost in USD.
    """

    ttft_ms = models.FloatField(null=True)
    ttfa_ms = models.FloatField(null=True)
    total_latency_ms = models.FloatField(null=True)
    tpot_ms = models.FloatField(null=True)
    tps = models.FloatField(null=True)
    tps_excluding_ttft = models.FloatField(null=True)
    queue_wait_ms = models.FloatField(null=True)
    connect_ms = models.FloatField(null=True)
    response_ms = models.FloatField(null=True)
    uncertainty_ms = models.FloatField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True)
    reasoning_tokens = models.PositiveIntegerField(null=True)
    token_source = models.CharField(max_length=10, null=True)  # noqa: DJ001 - null is unknown
    quality_flags = models.JSONField(default=list)
    estimated_cost = models.DecimalField(max_digits=16, decimal_places=10, null=True)
    error = models.TextField(null=True)  # noqa: DJ001 - null is no error
    error_class = models.CharField(max_length=20, null=True)  # noqa: DJ001 - null is no error

    class Meta:
        abstract = True

    FIGURES: tuple[str, ...] = (
        "ttft_ms",
        "ttfa_ms",
        "total_latency_ms",
        "tpot_ms",
        "tps",
        "tps_excluding_ttft",
        "queue_wait_ms",
        "connect_ms",
        "response_ms",
        "uncertainty_ms",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "token_source",
        "quality_flags",
        "estimated_cost",
    )

    def figures(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.FIGURES}
