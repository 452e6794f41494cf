from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q

from models_app.models import MAX_EXPECTED_TEXT, MAX_INTERVAL_MINUTES
from monitoring.models.schedules import Cadence, Scheduled
from monitoring.schedule import due_after_change
from monitoring.status import DEFAULT_CONFIRMATION, Confirmation

CONFIG_ID = UUID("00000000-0000-7000-8000-000000000001")
MAX_TOKENS = 32_768
MAX_CONCURRENCY = 10_000
MAX_DAYS = 36_500
MAX_JITTER_S = 3_600
MAX_PAUSES = 5
MAX_PAUSE_S = 300

__all__ = ["MAX_INTERVAL_MINUTES", "MonitoringConfig"]


def default_pauses() -> list[float]:
    return list(DEFAULT_CONFIRMATION.pauses_s)


def check_pauses(value: object) -> None:
    is_fine = isinstance(value, list) and len(value) <= MAX_PAUSES and all(map(_is_pause, value))
    if not is_fine:
        sentence = f"Must be a list of at most {MAX_PAUSES} pauses from 0 to {MAX_PAUSE_S} s."
        raise ValidationError(sentence)


def check_canaries(value: object) -> None:
    is_fine = isinstance(value, dict) and all(
        isinstance(text, str) and 0 < len(text) <= MAX_EXPECTED_TEXT for text in value.values()
    )
    if not is_fine:
        sentence = f"Must name a text of 1 to {MAX_EXPECTED_TEXT} characters for each prompt pack."
        raise ValidationError(sentence)


def _is_pause(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= MAX_PAUSE_S  # type: ignore[operator]


def _concurrency(default: int, help_text: str) -> models.PositiveIntegerField[Any, Any]:
    bounds = [MinValueValidator(1), MaxValueValidator(MAX_CONCURRENCY)]
    return models.PositiveIntegerField(default=default, validators=bounds, help_text=help_text)


def _days(least: int, help_text: str, **kwargs: Any) -> models.PositiveIntegerField[Any, Any]:
    bounds = [MinValueValidator(least), MaxValueValidator(MAX_DAYS)]
    return models.PositiveIntegerField(validators=bounds, help_text=help_text, **kwargs)


class MonitoringConfig(Scheduled):
    """The one row of global settings."""

    id = models.UUIDField(primary_key=True, default=CONFIG_ID, editable=False)
    prompt_pack = models.CharField(max_length=64, default="health_check")
    enabled = models.BooleanField(default=True)
    max_tokens = models.PositiveIntegerField(
        default=100, validators=[MinValueValidator(1), MaxValueValidator(MAX_TOKENS)]
    )
    global_concurrency = _concurrency(100, "Probes at the same time, in each worker process.")
    provider_concurrency = _concurrency(
        50, "For each account without a limit of its own, whatever the number of workers."
    )
    llm_concurrency = _concurrency(1, "For each model.")
    jitter_s = models.PositiveIntegerField(
        default=15,
        validators=[MaxValueValidator(MAX_JITTER_S)],
        help_text="Scheduled probes spread over this time, at most a quarter of the interval.",
    )
    confirmation_pauses_s = models.JSONField(
        default=default_pauses,
        blank=True,
        validators=[check_pauses],
        help_text="Pauses before each further attempt at a failure that may pass, in seconds.",
    )
    canaries = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_canaries],
        help_text="Text that answers must contain, by prompt pack.",
    )
    monthly_cap_usd = models.DecimalField(
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Probing pauses before a calendar month (UTC) costs more; empty: no cap.",
    )
    budget_paused_at = models.DateTimeField(null=True, editable=False)
    raw_days = _days(1, "Single checks are kept for this long.", default=30)
    hourly_days = _days(8, "Hourly figures are kept for this long.", default=365)
    daily_days = _days(91, "Daily figures; empty: for ever.", null=True, blank=True)
    # Older single checks are deleted or about to be: nothing shows or counts them any more.
    raw_from = models.DateTimeField(null=True, editable=False)
    # What is old is counted from here, not from the clock: see `monitoring.retention`.
    swept_at = models.DateTimeField(null=True, editable=False)
    last_run_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "monitoring configuration"
        constraints = [
            models.CheckConstraint(name="monitoring_config_single", condition=Q(id=CONFIG_ID)),
            models.CheckConstraint(
                name="monitoring_interval_positive", condition=Q(interval_minutes__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"every {self.interval_minutes} min, {self.prompt_pack}"

    @classmethod
    def load(cls) -> MonitoringConfig:
        return cls.objects.get_or_create(id=CONFIG_ID)[0]

    @classmethod
    def horizon(cls) -> datetime | None:
        """Single checks from before this moment are gone or going."""
        return cls.objects.values_list("raw_from", flat=True).first()

    @property
    def confirmation(self) -> Confirmation:
        return Confirmation(tuple(float(pause) for pause in self.confirmation_pauses_s))

    @property
    def budget_paused(self) -> bool:
        return self.budget_paused_at is not None

    def change(self, now: datetime, **changes: Any) -> None:
        """Saves new settings; a changed interval or switch moves the next round at once."""
        with transaction.atomic():
            stored = MonitoringConfig.objects.select_for_update().get(pk=self.pk)
            due_at = stored._due_after(changes, now)
            if due_at is None:
                Cadence.objects.update(next_due_at=None)
            for name, value in {**changes, "next_due_at": due_at}.items():
                setattr(stored, name, value)
            stored.save(update_fields=[*changes, "next_due_at", "updated_at"])
        self.refresh_from_db()

    def _due_after(self, changes: dict[str, Any], now: datetime) -> datetime | None:
        is_switched_on = changes.get("enabled", self.enabled) and not self.enabled
        if is_switched_on or (self.budget_paused and "monthly_cap_usd" in changes):
            return None
        minutes = changes.get("interval_minutes", self.interval_minutes)
        new = timedelta(minutes=minutes)
        return due_after_change(self.next_due_at, self.interval, new, now)

    def slot_due(self, now: datetime) -> datetime | None:
        return super().slot_due(now) if self.enabled else None

    def _as_read(self) -> dict[str, Any]:
        return {**super()._as_read(), "enabled": True}
