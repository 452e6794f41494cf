from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q

from arguslm.api.ids import new_id
from arguslm.api.leases import Leased
from monitoring.models.rounds import Round
from monitoring.schedule import is_nudge_due
from providers.models import ProviderAccount


class RoundShareQuerySet(models.QuerySet["RoundShare"]):
    def open(self) -> Self:
        return self.filter(status__in=RoundShare.open_states)

    def cancel(self) -> int:
        """Takes the open ones from whoever works on them."""
        return self.open().update(
            status=RoundShare.Status.CANCELLED, lease_expires_at=None, fence=F("fence") + 1
        )

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
        CANCELLED = "cancelled"

    open_states: ClassVar[tuple[str, ...]] = (Status.QUEUED, Status.RUNNING)
    running_state: ClassVar[str] = Status.RUNNING

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    round = models.ForeignKey(Round, models.CASCADE, related_name="shares")
    account = models.ForeignKey(ProviderAccount, models.CASCADE, related_name="+")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    left_out = models.JSONField(
        default=list, editable=False, help_text="LLMs that an earlier round was still probing."
    )
    nudged_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RoundShareQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["round", "account"], name="share_once_per_round")
        ]
        indexes = [
            models.Index(
                fields=["status"],
                name="share_is_open",
                condition=Q(status__in=["queued", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.account} in {self.round}"

    def wants_nudge(self, now: datetime) -> bool:
        return is_nudge_due(self.nudged_at, self.lease_expires_at or self.created_at, now)
