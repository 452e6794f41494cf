from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from arguslm.api.ids import new_id
from models_app.models import LLM
from monitoring.models import Round


class AlertRule(models.Model):
    class Type(models.TextChoices):
        ANY_MODEL_DOWN = "any_model_down"
        SPECIFIC_MODEL_DOWN = "specific_model_down"
        MODEL_UNAVAILABLE_EVERYWHERE = "model_unavailable_everywhere"
        PERFORMANCE_DEGRADATION = "performance_degradation"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=255)
    rule_type = models.CharField(max_length=40, choices=Type.choices)
    enabled = models.BooleanField(default=True)
    target_llm = models.ForeignKey(
        LLM, models.CASCADE, null=True, blank=True, related_name="alert_rules"
    )
    target_model_name = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - null is on the wire
    threshold_config = models.JSONField(null=True, blank=True)
    notify_in_app = models.BooleanField(default=True)
    notify_email = models.BooleanField(default=False)
    notify_webhook = models.BooleanField(default=False)
    # A webhook address is a password: whoever knows it can post.
    webhook_url_encrypted = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="rule_names_its_llm",
                condition=~Q(rule_type="specific_model_down") | Q(target_llm__isnull=False),
            ),
            models.CheckConstraint(
                name="rule_names_its_model",
                condition=~Q(rule_type="model_unavailable_everywhere")
                | Q(target_model_name__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def webhook_url(self) -> str | None:
        return None

    @transaction.atomic
    def change(self, **values: Any) -> None:
        """Saves new settings. A rule that is switched off has nothing open any more."""
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=[*values, "updated_at"])
        if not self.enabled:
            Alert.objects.open().filter(rule=self).close("rule_disabled")

    @transaction.atomic
    def retire(self) -> None:
        """Deletes the rule; its alerts stay as history."""
        Alert.objects.open().filter(rule=self).close("rule_deleted")
        self.delete()


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> AlertQuerySet:
        return self.filter(resolved_at=None)

    def unread(self) -> AlertQuerySet:
        return self.filter(in_app=True, acknowledged=False)

    def close(self, reason: str) -> int:
        return self.open().update(resolved_at=timezone.now(), resolve_reason=reason)


class Alert(models.Model):
    """Something a rule found wrong in one scope, from the first round that saw it to the last.

    Acknowledged and resolved are independent. Rule and LLM are copied, so the history survives
    their deletion.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    rule = models.ForeignKey(AlertRule, models.SET_NULL, null=True, related_name="alerts")
    rule_key = models.UUIDField(editable=False, help_text="The rule's id, kept after its deletion.")
    rule_name = models.CharField(max_length=255)
    rule_type = models.CharField(max_length=40, choices=AlertRule.Type.choices)
    scope = models.CharField(max_length=300)
    llm = models.ForeignKey(LLM, models.SET_NULL, null=True, related_name="alerts")
    in_app = models.BooleanField(default=True)
    message = models.TextField()
    error_class = models.CharField(max_length=20, null=True)  # noqa: DJ001 - null is no error
    acknowledged = models.BooleanField(default=False)
    acknowledged_at = models.DateTimeField(null=True)
    occurrences = models.PositiveIntegerField(default=1)
    # Relapses since the alert was last stable, and the latest of them.
    reopened = models.PositiveIntegerField(default=0)
    reopened_at = models.DateTimeField(null=True)
    last_round = models.ForeignKey(Round, models.SET_NULL, null=True, related_name="+")
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolve_reason = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule_key", "scope"],
                name="alert_open_once_per_scope",
                condition=Q(resolved_at=None),
            )
        ]
        indexes = [
            models.Index(
                fields=["-created_at"], name="alert_unread", condition=Q(acknowledged=False)
            ),
            models.Index(fields=["rule_key", "-created_at"], name="alert_of_rule"),
        ]

    def __str__(self) -> str:
        return self.message

    @property
    def state(self) -> str:
        return "open" if self.resolved_at is None else "resolved"

    def acknowledge(self) -> None:
        """Somebody owns it now. Doing it again changes nothing."""
        now = timezone.now()
        rows = Alert.objects.filter(pk=self.pk, acknowledged=False)
        if rows.update(acknowledged=True, acknowledged_at=now):
            self.acknowledged, self.acknowledged_at = True, now
        else:
            self.refresh_from_db()


class RoundEvaluation(models.Model):
    """Says that a round has been judged: what has no such row is still to do."""

    round = models.OneToOneField(Round, models.CASCADE, primary_key=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.round_id)
