from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import models
from django.db.models import Count, Q

from arguslm.api.ids import new_id
from models_app.models import LLM, Measured
from monitoring.models.rounds import Round


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
    # Without indexes of their own: those below begin with them.
    round = models.ForeignKey(Round, models.CASCADE, related_name="checks", db_index=False)
    llm = models.ForeignKey(LLM, models.CASCADE, related_name="checks", db_index=False)
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
            models.Index(fields=["llm", "-created_at", "-id"], name="check_latest_of_llm"),
            models.Index(fields=["status", "-created_at", "-id"], name="check_latest_of_status"),
            models.Index(
                fields=["llm", "-created_at"],
                name="check_failed_of_llm",
                condition=Q(error_class__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.llm_id} {self.status}"
