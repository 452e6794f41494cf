from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models, transaction
from django.db.models import Min, Q
from django.utils import timezone

from alerts.backoff import GIVE_UP_AFTER
from alerts.models.alerts import AlertEvent
from alerts.models.channels import Channel
from alerts.topics import Topic
from arguslm.api.errors import Conflict
from arguslm.api.ids import new_id
from arguslm.api.leases import Leased, unheld
from monitoring.models import Round

SWITCHED_OFF_TOO_LONG = "The channel was switched off for too long."


class Message(models.Model):
    """What is told: one or many events in one sentence. The same text goes to several channels."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    round = models.ForeignKey(Round, models.SET_NULL, null=True, related_name="+")
    topic = models.CharField(max_length=10, choices=[(topic.value, topic.value) for topic in Topic])
    scope = models.CharField(max_length=300)
    text = models.TextField()
    # What is sent, as it is sent: each attempt carries the same words.
    payload = models.JSONField()
    events = models.ManyToManyField(AlertEvent, related_name="messages")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.text


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def open(self) -> DeliveryQuerySet:
        return self.filter(status__in=Delivery.open_states)

    def heads(self) -> DeliveryQuerySet:
        """The oldest open delivery of each usable channel: the only one that may go out."""
        heads = self.open().filter(channel__enabled=True).order_by().values("channel")
        return self.filter(seq__in=heads.annotate(head=Min("seq")).values("head"))

    def due(self, now: datetime) -> DeliveryQuerySet:
        return self.filter(unheld(now), next_attempt_at__lte=now)

    def give_up_waiting(self, now: datetime | None = None) -> int:
        """Ends what a channel that is switched off has kept for too long."""
        now = now or timezone.now()
        late = self.open().filter(channel__enabled=False, give_up_at__lt=now)
        return late.update(status=Delivery.Status.FAILED, last_error=SWITCHED_OFF_TOO_LONG)

    def cancel(self, reason: str) -> int:
        return self.open().update(status=Delivery.Status.CANCELLED, last_error=reason)


class Delivery(Leased):
    """A message on its way to one channel. `seq` is the order, `id` what the receiver sees."""

    class Status(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        DELIVERED = "delivered"
        FAILED = "failed"
        CANCELLED = "cancelled"

    open_states: ClassVar[tuple[str, ...]] = (Status.PENDING, Status.SENDING)
    running_state: ClassVar[str] = Status.SENDING

    # From the database's own counter: it grows in the order of the alerts' transactions, which
    # clocks of several machines do not promise.
    seq = models.BigAutoField(primary_key=True)
    id = models.UUIDField(unique=True, default=new_id, editable=False)
    message = models.ForeignKey(Message, models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, models.SET_NULL, null=True, related_name="deliveries")
    channel_name = models.CharField(max_length=255)
    channel_kind = models.CharField(max_length=10, choices=Channel.Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    attempts_made = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    last_error = models.CharField(max_length=500, blank=True)
    delivered_at = models.DateTimeField(null=True)
    # Of an opening: when its last alert had ended and the receiver was told so. Set at once on
    # what belongs to the case of an earlier one.
    case_closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-seq"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["channel", "seq"],
                name="delivery_open",
                condition=Q(status__in=["pending", "sending"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_id} to {self.channel_name}"

    @transaction.atomic
    def redeliver(self) -> None:
        """Sends it once more under the same id."""
        rows = Delivery.objects.filter(pk=self.pk).exclude(status__in=self.open_states)
        if self.channel is None or not self.channel.enabled:
            raise Conflict("Its channel is gone or switched off.")
        now = timezone.now()
        if not rows.update(
            status=self.Status.PENDING,
            attempts_made=0,
            crashes=0,
            next_attempt_at=now,
            give_up_at=now + GIVE_UP_AFTER,
            lease_expires_at=None,
        ):
            raise Conflict("It is on its way already.")
        self.refresh_from_db()


class Attempt(models.Model):
    """One try to deliver, as the timeline shows it."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    duration_ms = models.FloatField()
    ok = models.BooleanField()
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.status_code or self.error or 'ok'}"
