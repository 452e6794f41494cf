from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Count, Q

from arguslm.api.ids import new_id
from arguslm.api.leases import Leased
from models_app.models import LLM, Measured
from monitoring.schedule import due_after_change, due_slot, is_nudge_due
from providers.models import ProviderAccount

CONFIG_ID = UUID("00000000-0000-7000-8000-000000000001")
MAX_INTERVAL_MINUTES = 7 * 24 * 60
MAX_TOKENS = 32_768
MAX_CONCURRENCY = 10_000


class MonitoringConfig(models.Model):
    """The one row of global settings."""

    id = models.UUIDField(primary_key=True, default=CONFIG_ID, editable=False)
    interval_minutes = models.PositiveIntegerField(
        default=15, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTERVAL_MINUTES)]
    )
    prompt_pack = models.CharField(max_length=64, default="health_check")
    enabled = models.BooleanField(default=True)
    max_tokens = models.PositiveIntegerField(
        default=100, validators=[MinValueValidator(1), MaxValueValidator(MAX_TOKENS)]
    )
    global_concurrency = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CONCURRENCY)],
        help_text="Probes at the same time, in each worker process.",
    )
    provider_concurrency = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CONCURRENCY)],
        help_text="The same, for each account.",
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

    def change(self, now: datetime, **changes: Any) -> None:
        """Saves new settings; a changed interval or switch moves the next round at once."""
        with transaction.atomic():
            stored = MonitoringConfig.objects.select_for_update().get(pk=self.pk)
            due_at = stored._due_after(changes, now)
            for name, value in {**changes, "next_due_at": due_at}.items():
                setattr(stored, name, value)
            stored.save(update_fields=[*changes, "next_due_at", "updated_at"])
        self.refresh_from_db()

    def _due_after(self, changes: dict[str, Any], now: datetime) -> datetime | None:
        if changes.get("enabled", self.enabled) and not self.enabled:
            return None
        minutes = changes.get("interval_minutes", self.interval_minutes)
        new = timedelta(minutes=minutes)
        return due_after_change(self.next_due_at, self.interval, new, now)

    def slot_due(self, now: datetime) -> datetime | None:
        return due_slot(self.next_due_at, self.interval, now) if self.enabled else None

    def claim_slot(self, slot: datetime) -> bool:
        """Takes the slot if no other tick has, and moves the schedule on by whole intervals."""
        rows = MonitoringConfig.objects.filter(
            pk=self.pk,
            enabled=True,
            interval_minutes=self.interval_minutes,
            next_due_at=self.next_due_at,
        )
        return rows.update(next_due_at=slot + self.interval) == 1


class RoundQuerySet(models.QuerySet["Round"]):
    def open(self) -> Self:
        return self.exclude(status=Round.Status.COMPLETED)

    def finished_but_open(self) -> Self:
        open_shares = RoundShare.objects.filter(
            round=models.OuterRef("pk"), status__in=RoundShare.open_states
        )
        return self.open().exclude(models.Exists(open_shares))


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
    skipped_slots = models.PositiveIntegerField(
        default=0, help_text="Scheduled rounds that were left out because this one still ran."
    )
    due_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RoundQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["due_at"], name="round_once_per_slot", condition=Q(trigger="schedule")
            ),
            models.UniqueConstraint(
                fields=["trigger"],
                name="round_open_once_per_trigger",
                condition=~Q(status="completed"),
            ),
        ]
        indexes = [
            models.Index(fields=["status"], name="round_open", condition=~Q(status="completed"))
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.due_at:%Y-%m-%d %H:%M}"

    @property
    def is_open(self) -> bool:
        return self.status != self.Status.COMPLETED

    def start(self, now: datetime) -> None:
        """Notes that a first share is being worked on; later shares change nothing."""
        queued = Round.objects.filter(pk=self.pk, status=self.Status.QUEUED)
        queued.update(status=self.Status.RUNNING, started_at=now)

    def finish(self, now: datetime) -> bool:
        """Ends the round once no share is open; true for the one caller who ended it."""
        ended = Round.objects.filter(pk=self.pk).finished_but_open()
        if not ended.update(status=self.Status.COMPLETED, finished_at=now):
            return False
        self.refresh_from_db()
        return True


class RoundShareQuerySet(models.QuerySet["RoundShare"]):
    def open(self) -> Self:
        return self.filter(status__in=RoundShare.open_states)

    def waiting(self, now: datetime) -> Self:
        """Nobody works on them: never started, handed back, or the lease has run out."""
        free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
        return self.open().filter(free)


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
    nudged_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RoundShareQuerySet.as_manager()

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

    def wants_nudge(self, now: datetime) -> bool:
        return is_nudge_due(self.nudged_at, self.lease_expires_at or self.created_at, now)


class UptimeCheckQuerySet(models.QuerySet["UptimeCheck"]):
    def tally(self, round_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
        """The number of checks by round and status."""
        counts = self.filter(round__in=round_ids).order_by().values_list("round", "status")
        found: dict[UUID, dict[str, int]] = {pk: {} for pk in round_ids}
        for round_id, status, number in counts.annotate(number=Count("pk")):
            found[round_id][status] = number
        return found

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
