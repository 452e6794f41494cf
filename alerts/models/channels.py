from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from alerts import signatures
from alerts.models.alerts import NOTICE_TYPE, Alert, AlertEvent, AlertRule
from alerts.silencing import Window
from alerts.states import EventKind, ResolveReason
from arguslm.api.ids import new_id
from models_app.models import LLM
from providers import secrets
from providers.models import ProviderAccount

# Receivers have this long to learn the new secret: until then both sign.
OLD_SECRET_LIVES = timedelta(hours=24)
CHANNEL_DELETED = "The channel was deleted."
SETTINGS_ID = UUID("00000000-0000-7000-8000-000000000002")


class ChannelQuerySet(models.QuerySet["Channel"]):
    def usable(self) -> ChannelQuerySet:
        return self.filter(enabled=True)


class Channel(models.Model):
    """A way to tell somebody. Its addresses and secrets exist in clear only in memory."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook"
        EMAIL = "email", "e-mail"
        CHAT = "apprise"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=255)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=500, blank=True, editable=False)
    config_encrypted = models.TextField(editable=False)
    secrets_encrypted = models.TextField(blank=True, editable=False)
    all_rules = models.BooleanField(default=True, help_text="Hears of the alerts of every rule.")
    rules = models.ManyToManyField(AlertRule, blank=True, related_name="channels")
    # The address that a rule brings along (webhook_url); it lives and dies with the rule.
    own_rule = models.OneToOneField(
        AlertRule,
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="own_channel",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                name="channel_of_a_rule_is_its_own",
                condition=Q(own_rule=None) | Q(all_rules=False),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def config(self) -> dict[str, Any]:
        return secrets.decrypt(self.config_encrypted)

    def seal(self, clear: Mapping[str, Any]) -> None:
        """Puts the encrypted form of `clear` on the row; the caller saves."""
        self.config_encrypted = secrets.encrypt(clear)

    def signing_secrets(self, now: datetime) -> list[str]:
        """The secrets a webhook is signed with now, the newest first."""
        if not self.secrets_encrypted:
            return []
        held = secrets.decrypt(self.secrets_encrypted)
        old, until = held.get("old"), held.get("old_until")
        lives = bool(old and until and datetime.fromisoformat(until) > now)
        return [held["new"], *([old] if lives else [])]

    def make_secret(self, now: datetime) -> str:
        """A new signing secret, for the caller to save and show once; the old one signs on."""
        known = self.signing_secrets(now)
        made = signatures.new_secret()
        old = {"old": known[0], "old_until": (now + OLD_SECRET_LIVES).isoformat()} if known else {}
        self.secrets_encrypted = secrets.encrypt({"new": made, **old})
        return made

    @transaction.atomic
    def rotate_secret(self) -> str:
        locked = Channel.objects.select_for_update().get(pk=self.pk)
        made = locked.make_secret(timezone.now())
        locked.save(update_fields=["secrets_encrypted", "updated_at"])
        return made

    @transaction.atomic
    def switch_off(self, reason: str) -> None:
        """The receiver will never take anything more: nobody is told there, and we say so here."""
        rows = Channel.objects.filter(pk=self.pk, enabled=True)
        if not rows.update(enabled=False, disabled_reason=reason, updated_at=timezone.now()):
            return
        self.enabled, self.disabled_reason = False, reason
        self._notice(f"The channel {self.name} was switched off: {reason}")

    @transaction.atomic
    def switch_on(self) -> None:
        self.deliveries.give_up_waiting(timezone.now())
        self.enabled, self.disabled_reason = True, ""
        self.save(update_fields=["enabled", "disabled_reason", "updated_at"])
        self._close_notice(ResolveReason.CHANNEL_RESTORED)

    @transaction.atomic
    def retire(self) -> None:
        """Deletes the channel; what was sent to it stays as history."""
        self._close_notice(ResolveReason.CHANNEL_DELETED)
        self.deliveries.cancel(CHANNEL_DELETED)
        self.delete()

    def _notice(self, message: str) -> None:
        now = timezone.now()
        notice, is_new = Alert.objects.get_or_create(
            rule_key=self.pk,
            scope=f"channel:{self.pk}",
            resolved_at=None,
            defaults={
                "rule_name": "Channels",
                "rule_type": NOTICE_TYPE,
                "message": message,
                "last_seen_at": now,
                "created_at": now,
            },
        )
        if is_new:
            AlertEvent.objects.create(
                alert=notice, kind=EventKind.OPENED, at=now, message=message, is_open=True
            )

    def _close_notice(self, reason: ResolveReason) -> None:
        Alert.objects.filter(rule_key=self.pk, rule_type=NOTICE_TYPE).close(reason)


class Silence(models.Model):
    """Mutes deliveries, nothing else: once from-until, or every week at the same time.

    What is given of account, LLM and rule must all match; nothing given matches everything.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=255)
    account = models.ForeignKey(
        ProviderAccount, models.CASCADE, null=True, blank=True, related_name="+"
    )
    llm = models.ForeignKey(LLM, models.CASCADE, null=True, blank=True, related_name="+")
    rule = models.ForeignKey(AlertRule, models.CASCADE, null=True, blank=True, related_name="+")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    weekdays = models.JSONField(
        default=list, blank=True, help_text="0 is Monday; empty: from starts_at to ends_at, once."
    )
    start_time = models.TimeField(null=True, blank=True)
    duration_minutes = models.PositiveIntegerField(null=True, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def window(self) -> Window:
        return Window(
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            weekdays=frozenset(self.weekdays),
            start_time=self.start_time,
            duration=timedelta(minutes=self.duration_minutes or 0),
            timezone=self.timezone,
        )

    def is_active(self, now: datetime) -> bool:
        return self.window.covers(now)


class AlertSettings(models.Model):
    """The one row of settings; also the door that evaluations pass one at a time."""

    id = models.UUIDField(primary_key=True, default=SETTINGS_ID, editable=False)
    heartbeat_url_encrypted = models.TextField(blank=True, editable=False)
    heartbeat_every_s = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(10), MaxValueValidator(86_400)]
    )
    heartbeat_tried_at = models.DateTimeField(null=True, editable=False)
    heartbeat_ok_at = models.DateTimeField(null=True, editable=False)
    heartbeat_error = models.CharField(max_length=500, blank=True, editable=False)
    chores_at = models.DateTimeField(null=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "alert settings"
        constraints = [
            models.CheckConstraint(name="alert_settings_single", condition=Q(id=SETTINGS_ID))
        ]

    def __str__(self) -> str:
        return "Alert settings"

    @classmethod
    def load(cls) -> AlertSettings:
        return cls.objects.get_or_create(id=SETTINGS_ID)[0]

    @property
    def heartbeat_url(self) -> str | None:
        if not self.heartbeat_url_encrypted:
            return None
        return str(secrets.decrypt(self.heartbeat_url_encrypted)["url"])

    def seal_heartbeat(self, url: str | None) -> None:
        self.heartbeat_url_encrypted = secrets.encrypt({"url": url}) if url else ""
