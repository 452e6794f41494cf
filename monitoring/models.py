from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from arguslm.api.ids import new_id
from arguslm.api.leases import Leased
from models_app.models import LLM, Measured
from providers.models import ProviderAccount

CONFIG_ID = UUID("00000000-0000-7000-8000-000000000001")
MAX_INTERVAL_MINUTES = 7 * 24 * 60


class MonitoringConfig(models.Model):
    """The one row of global settings."""

    id = models.UUIDField(primary_key=True, default=CONFIG_ID, editable=False)
    interval_minutes = models.PositiveIntegerField(default=15, validators=[MinValueValidator(1)])
    prompt_pack = models.CharField(max_length=64, default="health_check")
    enabled = models.BooleanField(default=True)
    max_tokens = models.PositiveIntegerField(default=100, validators=[MinValueValidator(1)])
    global_concurrency = models.PositiveIntegerField(
        default=100, validators=[MinValueValidator(1)], help_text="Probes at the same time."
    )
    provider_concurrency = models.PositiveIntegerField(
        default=10, validators=[MinValueValidator(1)], help_text="The same, for each account."
    )
    last_run_at = models.DateTimeField(null=True, editable=False)
    next_due_at = models.DateTimeField(null=True, editable=False)
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

    @property
    def interval(self) -> timedelta:
        return timedelta(minutes=self.interval_minutes)


class Round(models.Model):
    """One pass over all monitored LLMs."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule"
        MANUAL = "manual"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    prompt_pack = models.CharField(max_length=64)
    max_tokens = models.PositiveIntegerField()
    planned = models.PositiveIntegerField(default=0, help_text="LLMs to probe.")
    self_offline = models.BooleanField(
        default=False, help_text="The monitor itself had no network: no verdict on any provider."
    )
    due_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["due_at"], name="round_once_per_slot", condition=Q(trigger="schedule")
            )
        ]
        indexes = [
            models.Index(fields=["status"], name="round_open", condition=~Q(status="completed"))
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.due_at:%Y-%m-%d %H:%M}"


class RoundShare(Leased):
    """The part of a round that belongs to one account: the unit that a worker claims."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"

    open_states: ClassVar[tuple[str, ...]] = (Status.QUEUED, Status.RUNNING)
    running_state: ClassVar[str] = Status.RUNNING

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    round = models.ForeignKey(Round, models.CASCADE, related_name="shares")
    account = models.ForeignKey(ProviderAccount, models.CASCADE, related_name="+")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["round", "account"], name="share_once_per_round")
        ]
        indexes = [
            models.Index(fields=["status"], name="share_open", condition=~Q(status="completed"))
        ]

    def __str__(self) -> str:
        return f"{self.account} in {self.round}"


class UptimeCheckQuerySet(models.QuerySet["UptimeCheck"]):
    def between(self, start: datetime | None, end: datetime | None) -> UptimeCheckQuerySet:
        rows = self
        if start is not None:
            rows = rows.filter(created_at__gte=start)
        if end is not None:
            rows = rows.filter(created_at__lte=end)
        return rows


class UptimeCheck(Measured):
    """What one round found out about one LLM."""

    class Status(models.TextChoices):
        UP = "up"
        DEGRADED = "degraded"
        DOWN = "down"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    round = models.ForeignKey(Round, models.CASCADE, related_name="checks")
    llm = models.ForeignKey(LLM, models.CASCADE, related_name="checks")
    status = models.CharField(max_length=10, choices=Status.choices)
    # Account and configuration faults say nothing about the provider's uptime.
    counts_for_uptime = models.BooleanField(default=True)
    attempts = models.JSONField(default=list)
    prompt_pack = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    objects = UptimeCheckQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["round", "llm"], name="check_once_per_round")
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="check_newest"),
            models.Index(fields=["llm", "-created_at"], name="check_newest_of_llm"),
            models.Index(fields=["status", "-created_at"], name="check_newest_of_status"),
        ]

    def __str__(self) -> str:
        return f"{self.llm_id} {self.status}"
