from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from alerts import messages
from alerts.states import EventKind, ResolveReason
from arguslm.api.ids import new_id
from models_app.models import LLM
from monitoring.models import Round

IDS_AT_ONCE = 800
LONGEST_REMINDER_MINUTES = 30 * 24 * 60
NOTICE_TYPE = "channel_disabled"
# Alerts without a rule.
NOTICES = {
    NOTICE_TYPE: "Channel disabled",
    "budget_paused": "Budget paused",
    "model_changed": "Model changed",
}


class AlertRule(models.Model):
    class Type(models.TextChoices):
        ANY_MODEL_DOWN = "any_model_down"
        SPECIFIC_MODEL_DOWN = "specific_model_down"
        MODEL_UNAVAILABLE_EVERYWHERE = "model_unavailable_everywhere"
        PERFORMANCE_DEGRADATION = "performance_degradation"
        BENCHMARK_REGRESSION = "benchmark_regression"

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
    notify_email = models.BooleanField(default=False, help_text="To every e-mail channel.")
    notify_webhook = models.BooleanField(
        default=False, help_text="To the rule's own address, else to every webhook channel."
    )
    remind_every_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_REMINDER_MINUTES)],
        help_text="While an alert is open and nobody owns it; empty: never.",
    )
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

    @transaction.atomic
    def change(self, **values: Any) -> None:
        """Saves new settings. A rule that is switched off has nothing open any more.

        One of another type begins anew. After another target the next round decides.
        """
        kind = self.rule_type
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=[*values, "updated_at"])
        if not self.enabled:
            Alert.objects.filter(rule=self).close(ResolveReason.RULE_DISABLED)
        elif self.rule_type != kind:
            Alert.objects.filter(rule=self).close(ResolveReason.RULE_CHANGED)

    @transaction.atomic
    def retire(self) -> None:
        """Deletes the rule; its alerts stay as history."""
        Alert.objects.filter(rule=self).close(ResolveReason.RULE_DELETED)
        if hasattr(self, "own_channel"):
            self.own_channel.retire()
        self.delete()


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> AlertQuerySet:
        return self.filter(resolved_at=None)

    def unread(self) -> AlertQuerySet:
        return self.filter(in_app=True, acknowledged=False)

    def judged(self) -> AlertQuerySet:
        """Without the notices, which no rule decides on."""
        return self.exclude(rule_type__in=NOTICES)

    def of_rounds(self) -> AlertQuerySet:
        """Those that a monitoring round decides on; regressions wait for the next benchmark."""
        return self.judged().exclude(rule_type=AlertRule.Type.BENCHMARK_REGRESSION)

    def in_parts(self, ids: Sequence[UUID]) -> Iterator[AlertQuerySet]:
        """Those with these ids, a bounded number at a time: databases limit what one may ask."""
        for start in range(0, len(ids), IDS_AT_ONCE):
            yield self.filter(pk__in=ids[start : start + IDS_AT_ONCE])

    @transaction.atomic
    def close(self, reason: ResolveReason, now: datetime | None = None) -> int:
        """Resolves what is open: on the timeline, to nobody's phone."""
        now = now or timezone.now()
        rows = list(self.open().select_for_update().values_list("pk", "message"))
        AlertEvent.objects.bulk_create(
            AlertEvent(
                alert_id=pk,
                kind=EventKind.RESOLVED,
                at=now,
                message=messages.closed(message, reason.value.replace("_", " ")),
                quiet=True,
                is_open=False,
            )
            for pk, message in rows
        )
        closed = Alert.objects.open().in_parts([pk for pk, _ in rows])
        return sum(part.update(resolved_at=now, resolve_reason=reason.value) for part in closed)

    def acknowledge(self, note: str = "") -> int:
        """Somebody owns them now; how many were nobody's before."""
        with transaction.atomic():
            rows = self.filter(acknowledged=False).select_for_update()
            free = dict(rows.values_list("pk", "resolved_at"))
            now = timezone.now()
            changes = {"note": note} if note else {}
            for part in Alert.objects.in_parts(list(free)):
                part.update(acknowledged=True, acknowledged_at=now, **changes)
            AlertEvent.objects.bulk_create(
                AlertEvent(
                    alert_id=pk,
                    kind=EventKind.ACKNOWLEDGED,
                    at=now,
                    message="Acknowledged.",
                    note=note,
                    quiet=True,
                    is_open=resolved_at is None,
                )
                for pk, resolved_at in free.items()
            )
        return len(free)


class Alert(models.Model):
    """Something a rule found wrong in one scope, from the first round that saw it to the last.

    Acknowledged and resolved are independent. Rule and LLM are copied, so the history survives
    their deletion. A notice that a channel was switched off is an alert without a rule.
    """

    TYPES: ClassVar = [*AlertRule.Type.choices, *NOTICES.items()]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    rule = models.ForeignKey(AlertRule, models.SET_NULL, null=True, related_name="alerts")
    rule_key = models.UUIDField(editable=False, help_text="The rule's id, kept after its deletion.")
    rule_name = models.CharField(max_length=255)
    rule_type = models.CharField(max_length=40, choices=TYPES)
    scope = models.CharField(max_length=300)
    llm = models.ForeignKey(LLM, models.SET_NULL, null=True, related_name="alerts")
    in_app = models.BooleanField(default=True)
    message = models.TextField()
    error_class = models.CharField(max_length=20, null=True)  # noqa: DJ001 - null is no error
    acknowledged = models.BooleanField(default=False)
    acknowledged_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, help_text="The latest one.")
    occurrences = models.PositiveIntegerField(default=1)
    # Relapses since the alert was last stable, and the latest of them.
    reopened = models.PositiveIntegerField(default=0)
    reopened_at = models.DateTimeField(null=True)
    last_round = models.ForeignKey(Round, models.SET_NULL, null=True, related_name="+")
    last_seen_at = models.DateTimeField()
    # The latest message that named it. Null while a silence has kept it from everybody.
    told_at = models.DateTimeField(null=True)
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
            models.Index(fields=["-created_at", "-id"], name="alert_newest"),
            models.Index(fields=["llm"], name="alert_open_of_llm", condition=Q(resolved_at=None)),
            models.Index(fields=["resolved_at"], name="alert_resolved"),
            models.Index(fields=["reopened"], name="alert_flapping", condition=Q(reopened__gte=3)),
        ]

    def __str__(self) -> str:
        return self.message

    @property
    def is_notice(self) -> bool:
        return self.rule_type in NOTICES

    @property
    def state(self) -> str:
        return "open" if self.resolved_at is None else "resolved"

    def acknowledge(self, note: str = "") -> None:
        """Somebody owns it now. Doing it again changes nothing, but a new note is kept."""
        with transaction.atomic():
            is_new = Alert.objects.filter(pk=self.pk).acknowledge(note)
            if note and not is_new:
                Alert.objects.filter(pk=self.pk).update(note=note)
                self.events.create(
                    kind=EventKind.NOTED,
                    at=timezone.now(),
                    message="Noted.",
                    note=note,
                    quiet=True,
                    is_open=self.resolved_at is None,
                )
        self.refresh_from_db()


class AlertEvent(models.Model):
    """One line of an alert's timeline. `quiet` is news for the timeline alone."""

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in EventKind])
    at = models.DateTimeField()
    message = models.TextField()
    note = models.TextField(blank=True)
    quiet = models.BooleanField(default=False)
    is_open = models.BooleanField(help_text="Whether the alert was open after it.")
    muted = models.BooleanField(default=False, help_text="A silence kept it from all channels.")
    round = models.ForeignKey(Round, models.SET_NULL, null=True, related_name="+")
    # Channels that hear of it with the end of the round, so that a storm stays a few messages.
    held_for = models.JSONField(default=list)
    is_held = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["round"], name="event_held", condition=Q(is_held=True))]

    def __str__(self) -> str:
        return self.message


class RoundEvaluation(models.Model):
    """How far a round has been judged: what is not final is still to do.

    `judged`: ids of the LLMs whose check has been judged while the round was still open. The
    counts say what the last look has seen, so that the next one can tell whether there is news.
    """

    round = models.OneToOneField(Round, models.CASCADE, primary_key=True)
    is_final = models.BooleanField(default=False)
    judged = models.JSONField(default=list)
    checks_seen = models.PositiveIntegerField(default=0)
    downs_seen = models.PositiveIntegerField(default=0)
    withheld = models.PositiveIntegerField(default=0)
    looked_at = models.DateTimeField(null=True, auto_now=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.round_id)


class PerformanceBaseline(models.Model):
    """What is usual for an LLM: median and 1.4826·MAD in ms (per token for tps) of `n` samples."""

    llm = models.ForeignKey(LLM, models.CASCADE, related_name="+")
    prompt_pack = models.CharField(max_length=64)
    metric = models.CharField(max_length=20)
    days = models.PositiveSmallIntegerField()
    median = models.FloatField(null=True)
    spread = models.FloatField(null=True)
    n = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["llm", "prompt_pack", "metric", "days"], name="baseline_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.metric} of {self.llm_id}: {self.median}"
