from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from arguslm.api.ids import new_id
from models_app.models import LLM


class ReportedModel(models.Model):
    """What a provider says it answers with: each name and fingerprint that an LLM ever had."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    llm = models.ForeignKey(LLM, models.CASCADE, related_name="reported_models")
    model_reported = models.CharField(max_length=255, blank=True)
    fingerprint = models.CharField(max_length=255, blank=True)
    is_current = models.BooleanField(default=True)
    first_seen_at = models.DateTimeField()
    current_since = models.DateTimeField()
    # The last time that it came unexpectedly, and what it came in place of.
    changed_at = models.DateTimeField(null=True)
    replaced = models.CharField(max_length=511, blank=True)

    class Meta:
        ordering = ["-current_since", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["llm", "model_reported", "fingerprint"], name="reported_model_once_per_llm"
            ),
            models.UniqueConstraint(
                fields=["llm"], name="reported_model_one_is_current", condition=Q(is_current=True)
            ),
        ]
        indexes = [
            models.Index(
                fields=["changed_at"],
                name="reported_model_changed",
                condition=Q(changed_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_reported} {self.fingerprint}".strip()

    def replace(self, current: ReportedModel, now: datetime) -> None:
        """Makes this one the current one, in place of `current`.

        A fingerprint may come and go between several machines of a provider: only one that was
        never seen before is a change. Another model name always is.
        """
        is_change = self._state.adding or current.model_reported != self.model_reported
        others = ReportedModel.objects.filter(llm=self.llm_id, is_current=True)
        others.exclude(pk=self.pk).update(is_current=False)
        self.is_current, self.current_since = True, now
        if is_change:
            self.changed_at, self.replaced = now, str(current)
        self.save()
