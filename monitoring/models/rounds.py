from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from arguslm.api.ids import new_id
from models_app.models import LLMQuerySet


class RoundQuerySet(models.QuerySet["Round"]):
    def open(self) -> Self:
        return self.filter(status__in=Round.open_states)

    def over(self) -> Self:
        return self.exclude(status__in=Round.open_states)

    def finished_but_open(self) -> Self:
        """Open rounds without an open share."""
        from monitoring.models.shares import RoundShare

        open_shares = RoundShare.objects.open().filter(round=models.OuterRef("pk"))
        return self.open().exclude(models.Exists(open_shares))


class Round(models.Model):
    """One pass over the monitored LLMs that are due."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"
        CANCELLED = "cancelled"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule"
        MANUAL = "manual"

    open_states: ClassVar[tuple[str, ...]] = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    prompt_pack = models.CharField(max_length=64)
    max_tokens = models.PositiveIntegerField()
    interval_minutes = models.PositiveIntegerField(
        null=True, help_text="Set: only the LLMs with this interval of their own."
    )
    planned = models.PositiveIntegerField(default=0, help_text="LLMs to probe.")
    overlapping = models.PositiveIntegerField(
        default=0, help_text="LLMs left out because an earlier round was still probing them."
    )
    self_offline = models.BooleanField(
        default=False, help_text="The monitor itself had no network: no verdict on any provider."
    )
    skipped_slots = models.PositiveIntegerField(
        default=0, help_text="Slots in which no LLM was free, while this round still ran."
    )
    # The checks by status, counted when the round ended: they outlive the checks.
    up = models.PositiveIntegerField(null=True, editable=False)
    degraded = models.PositiveIntegerField(null=True, editable=False)
    down = models.PositiveIntegerField(null=True, editable=False)
    # The rollups hold the checks of this round: all of them, or those up to the LLM `rolled_to`.
    rolled_up = models.BooleanField(default=False, editable=False)
    rolled_to = models.UUIDField(null=True, editable=False)
    due_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RoundQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["due_at"],
                name="round_once_per_slot",
                condition=Q(trigger="schedule", interval_minutes=None),
            ),
            models.UniqueConstraint(
                fields=["interval_minutes", "due_at"],
                name="round_once_per_slot_of_cadence",
                condition=Q(trigger="schedule"),
            ),
            models.UniqueConstraint(
                fields=["trigger"],
                name="round_one_manual_open",
                condition=Q(trigger="manual", status__in=["queued", "running"]),
            ),
        ]
        indexes = [
            models.Index(
                fields=["status"],
                name="round_is_open",
                condition=Q(status__in=["queued", "running"]),
            ),
            models.Index(
                fields=["created_at"], name="round_not_rolled_up", condition=Q(rolled_up=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.due_at:%Y-%m-%d %H:%M}"

    @property
    def is_open(self) -> bool:
        return self.status in self.open_states

    def members(self, llms: LLMQuerySet) -> LLMQuerySet:
        """Those of `llms` whose turn it is in this round."""
        if self.trigger == self.Trigger.MANUAL:
            return llms
        return llms.filter(monitoring_interval_minutes=self.interval_minutes)

    def keep_counts(self, counts: Mapping[str, int]) -> None:
        """Notes how many checks of each status the round has; call it when no more can come."""
        self.up, self.degraded, self.down = (
            counts.get(status, 0) for status in ("up", "degraded", "down")
        )
        self.save(update_fields=["up", "degraded", "down"])

    def interval_within(self, usual: timedelta) -> timedelta:
        """The time until the next round of the same LLMs."""
        own = self.interval_minutes
        return usual if own is None else timedelta(minutes=own)

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

    def cancel(self, now: datetime) -> bool:
        """Ends the round before its time; false when it was over already. Results stay."""
        rows = Round.objects.filter(pk=self.pk, status__in=self.open_states)
        if not rows.update(status=self.Status.CANCELLED, finished_at=now):
            return False
        self.refresh_from_db()
        return True
