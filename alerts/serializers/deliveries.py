from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alerts.models import Delivery
from alerts.serializers.alerts import AttemptOutput
from arguslm.api.fields import Choice
from arguslm.api.queries import limit_field, offset_field


class DeliveryOutput(serializers.ModelSerializer[Delivery]):
    channel_id = serializers.UUIDField(read_only=True, allow_null=True)
    topic = serializers.CharField(source="message.topic", read_only=True)
    text = serializers.CharField(source="message.text", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "channel_id",
            "channel_name",
            "channel_kind",
            "topic",
            "text",
            "status",
            "attempts_made",
            "next_attempt_at",
            "last_error",
            "delivered_at",
            "created_at",
        ]


class DeliveryDetail(DeliveryOutput):
    attempts = AttemptOutput(many=True, read_only=True)
    payload = serializers.DictField(source="message.payload", read_only=True)

    class Meta(DeliveryOutput.Meta):
        fields = [*DeliveryOutput.Meta.fields, "payload", "attempts"]


class DeliveryQuery(serializers.Serializer[Any]):
    channel_id = serializers.UUIDField(required=False)
    alert_id = serializers.UUIDField(required=False)
    status = Choice(choices=Delivery.Status.choices, required=False)
    limit = limit_field(50, 500)
    offset = offset_field()


class DeliveryList(serializers.Serializer[Any]):
    items = DeliveryOutput(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
