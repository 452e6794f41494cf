from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from arguslm.api.ids import new_id
from models_app.prompts import PROMPT_PACKS, PromptPack
from providers.measurement import FIGURES
from providers.models import ProviderAccount

PACK_ID = r"^[a-z0-9][a-z0-9_-]{0,63}$"
MAX_PROMPT = 200_000
MAX_EXPECTED_TOKENS = 32_768
MAX_INTERVAL_MINUTES = 7 * 24 * 60
MAX_EXPECTED_TEXT = 500
SMALLEST_LIMIT_MS = 0.001
LARGEST_LIMIT_MS = 3_600_000.0


def not_built_in(pack_id: str) -> None:
    if pack_id in PROMPT_PACKS:
        raise ValidationError("This is the id of a built-in pack.")


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
    monitoring_interval_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_INTERVAL_MINUTES)],
        help_text="Between checks of this model; empty: the global interval.",
    )
    ttft_limit_ms = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(SMALLEST_LIMIT_MS), MaxValueValidator(LARGEST_LIMIT_MS)],
        help_text="A check whose first token comes later is degraded; empty: no limit.",
    )
    latency_limit_ms = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(SMALLEST_LIMIT_MS), MaxValueValidator(LARGEST_LIMIT_MS)],
        help_text="A check whose answer takes longer is degraded; empty: no limit.",
    )
    expected_text = models.CharField(  # noqa: DJ001 - null is on the wire
        max_length=MAX_EXPECTED_TEXT,
        null=True,
        blank=True,
        help_text="Text that answers of this model must contain; empty: that of the prompt pack.",
    )
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
            ),
            models.Index(
                fields=["monitoring_interval_minutes"],
                name="llm_own_interval",
                condition=Q(monitoring_interval_minutes__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.custom_name or self.upstream_id

    def full_name(self) -> str:
        return f"{self.account.display_name}/{self.upstream_id}"


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

    FIGURES: ClassVar[tuple[str, ...]] = (*FIGURES, "quality_flags", "estimated_cost")

    def figures(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.FIGURES}


class OwnPromptPack(models.Model):
    """A prompt pack that was made here, beside the built-in ones."""

    id = models.CharField(
        primary_key=True,
        max_length=64,
        validators=[
            RegexValidator(PACK_ID, "Lower-case letters, digits, - and _ only."),
            not_built_in,
        ],
    )
    name = models.CharField(max_length=255)
    prompt = models.TextField(max_length=MAX_PROMPT)
    expected_tokens = models.PositiveIntegerField(
        help_text="Usual length of an answer.",
        validators=[MinValueValidator(1), MaxValueValidator(MAX_EXPECTED_TOKENS)],
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["created_at", "id"]
        verbose_name = "own prompt pack"

    def __str__(self) -> str:
        return self.name

    @property
    def pack(self) -> PromptPack:
        return PromptPack(self.id, self.name, self.prompt, self.expected_tokens)


class Calibration(models.Model):
    """One measurement of this installation against the simulator; the newest one counts.

    The figures are those of the reference scenario of `providers.calibration`; times are in ms.
    """

    FIGURES: tuple[str, ...] = ("bias_ms", "spread_ms", "p99_ms", "cpu_ms_per_1000_tokens")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    quick = models.BooleanField(default=False)
    noise = models.JSONField(default=list)
    bias_ms = models.FloatField(null=True)
    spread_ms = models.FloatField(null=True)
    p99_ms = models.FloatField(null=True)
    cpu_ms_per_1000_tokens = models.FloatField(null=True)
    scenarios = models.JSONField(default=list)
    client = models.JSONField(default=dict)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"Calibration of {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def noisy(self) -> bool:
        return bool(self.noise)
