from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from arguslm.api.ids import new_id
from arguslm.api.leases import Leased, unheld
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
        """Nobody works on them."""
        return self.open().filter(unheld(now))


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
    desk = models.UUIDField(
        null=True, editable=False, help_text="The process that works on it, or did last."
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

    @classmethod
    def take(cls, pk: UUID, desk: UUID) -> RoundShare | None:
        """Claims the share for a process; None when somebody has it, or another of its account.

        The limits of an account are kept by the process that asks: there is only one at a time.
        """
        now = timezone.now()
        with transaction.atomic():
            wanted = cls.objects.filter(pk=pk).values_list("account", flat=True)
            # The door: two processes must not take two shares of one account at once.
            doors = ProviderAccount.objects.filter(pk__in=wanted)
            if doors.select_for_update(no_key=True).first() is None:
                return None
            of_account = cls.objects.open().filter(account__in=wanted).exclude(pk=pk)
            if of_account.exclude(unheld(now)).exclude(desk=desk).exists():
                return None
            share = cls.claim(pk, now)
            if share is not None:
                share.own(desk=desk)
            return share

    def wants_nudge(self, now: datetime) -> bool:
        return is_nudge_due(self.nudged_at, self.lease_expires_at or self.created_at, now)
