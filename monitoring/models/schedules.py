from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from models_app.models import MAX_INTERVAL_MINUTES
from monitoring.schedule import due_slot


class Scheduled(models.Model):
    """A row whose time comes again and again. Whoever moves `next_due_at` on has the slot."""

    interval_minutes = models.PositiveIntegerField(
        default=15, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTERVAL_MINUTES)]
    )
    next_due_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def interval(self) -> timedelta:
        return timedelta(minutes=self.interval_minutes)

    def slot_due(self, now: datetime) -> datetime | None:
        return due_slot(self.next_due_at, self.interval, now)

    def claim_slot(self, slot: datetime) -> bool:
        """Takes the slot if no other tick has, and moves the schedule on by whole intervals."""
        rows = type(self)._default_manager.filter(pk=self.pk, **self._as_read())
        return rows.update(next_due_at=slot + self.interval) == 1

    def _as_read(self) -> dict[str, Any]:
        return {"interval_minutes": self.interval_minutes, "next_due_at": self.next_due_at}


class Cadence(Scheduled):
    """The schedule of the LLMs that have an interval of their own; one row for each interval."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["interval_minutes"], name="cadence_once_per_interval"),
            models.CheckConstraint(
                name="cadence_interval_positive", condition=Q(interval_minutes__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"every {self.interval_minutes} min"
