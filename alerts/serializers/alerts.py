from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alerts.models import Alert, Attempt
from arguslm.api.fields import Choice, Id, Lines, Moment
from arguslm.api.queries import limit_field, offset_field
from arguslm.api.serializers import Input

STATES = ("open", "resolved")
MOST_AT_ONCE = 1000
NOTE_LIMIT = 2000


class AlertOutput(serializers.ModelSerializer[Alert]):
    rule_id = serializers.UUIDField(source="rule_key", read_only=True)
    model_id = serializers.UUIDField(source="llm_id", read_only=True, allow_null=True)
    model_name = serializers.CharField(source="llm.name", read_only=True, default=None)
    state = serializers.ChoiceField(choices=STATES, read_only=True)

    class Meta:
        model = Alert
        fields = [
            "id",
            "rule_id",
            "rule_name",
            "rule_type",
            "model_id",
            "model_name",
            "scope",
            "message",
            "error_class",
            "state",
            "acknowledged",
            "acknowledged_at",
            "note",
            "occurrences",
            "reopened",
            "last_seen_at",
            "resolved_at",
            "resolve_reason",
            "created_at",
        ]


class AlertQuery(serializers.Serializer[Any]):
    rule_id = serializers.UUIDField(required=False)
    model_id = serializers.UUIDField(required=False)
    provider_id = serializers.UUIDField(required=False)
    state = Choice(choices=STATES, required=False)
    acknowledged = serializers.BooleanField(required=False, allow_null=True, default=None)
    since = Moment(required=False)
    limit = limit_field(50, 500)
    offset = offset_field()


class RecentQuery(serializers.Serializer[Any]):
    limit = limit_field(10, 50)


class PageQuery(serializers.Serializer[Any]):
    limit = limit_field(100, 500)
    offset = offset_field()


class IncidentQuery(serializers.Serializer[Any]):
    provider_id = serializers.UUIDField(required=False)
    state = Choice(choices=STATES, required=False)
    since = Moment(required=False, help_text="Default: seven days ago.")
    limit = limit_field(50, 500)
    offset = offset_field()


class AcknowledgeInput(Input):
    note = Lines(max_length=NOTE_LIMIT, required=False)


class FilterInput(Input):
    rule_id = Id(required=False)
    model_id = Id(required=False)
    provider_id = Id(required=False)
    state = Choice(choices=STATES, required=False)
    since = Moment(required=False)


class BulkAcknowledgeInput(Input):
    """Either ids or a filter; an empty filter is all of them."""

    ids = serializers.ListField(
        child=Id(), required=False, allow_empty=False, max_length=MOST_AT_ONCE
    )
    filter = FilterInput(required=False)
    note = Lines(max_length=NOTE_LIMIT, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give either ids or filter.")
        return attrs


class BulkAcknowledged(serializers.Serializer[Any]):
    acknowledged = serializers.IntegerField(help_text="Alerts that nobody had owned before.")


class AlertList(serializers.Serializer[Any]):
    items = AlertOutput(many=True)
    total = serializers.IntegerField()
    unacknowledged_count = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class RecentAlerts(serializers.Serializer[Any]):
    items = AlertOutput(many=True)
    total_unread = serializers.IntegerField()


class UnreadCount(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class AttemptOutput(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    ok = serializers.BooleanField()
    status_code = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.FloatField()
    error = serializers.SerializerMethodField(
        help_text="Our own words; with ok: why nothing had to be sent."
    )

    def get_error(self, attempt: Attempt) -> str | None:
        return attempt.error or None


class TimelineDelivery(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    channel_id = serializers.UUIDField(allow_null=True)
    channel_name = serializers.CharField()
    channel_kind = serializers.CharField()
    status = serializers.CharField()
    attempts = AttemptOutput(many=True)


class TimelineItem(serializers.Serializer[Any]):
    kind = serializers.CharField(
        help_text="opened, reopened, resolved, flapping, stable, acknowledged, noted, reminded, "
        "unmuted, delivery"
    )
    at = serializers.DateTimeField()
    message = serializers.CharField()
    note = serializers.CharField(allow_null=True)
    muted = serializers.BooleanField()
    delivery = TimelineDelivery(allow_null=True)


class Timeline(serializers.Serializer[Any]):
    items = TimelineItem(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class IncidentOutput(serializers.Serializer[Any]):
    provider_id = serializers.UUIDField(allow_null=True)
    provider_name = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=STATES)
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    model_count = serializers.IntegerField()
    alert_count = serializers.IntegerField()
    alert_ids = serializers.ListField(child=serializers.UUIDField(), help_text="The first 500.")
    error_classes = serializers.ListField(child=serializers.CharField())


class IncidentList(serializers.Serializer[Any]):
    items = IncidentOutput(many=True)
    total = serializers.IntegerField()
    is_complete = serializers.BooleanField(
        help_text="False: older alerts of the period were left out, there were too many."
    )
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
