from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from rest_framework import serializers

from arguslm.api.exports import format_field
from arguslm.api.fields import Choice, Moment
from arguslm.api.queries import limit_field, offset_field
from monitoring.models import Round, UptimeCheck

_DATE_ALONE = re.compile(r"\d{4}-\d{2}-\d{2}")


class RoundStarted(serializers.Serializer[Any]):
    run_id = serializers.CharField()
    status = serializers.ChoiceField(choices=Round.Status.choices)
    message = serializers.CharField()


class RoundOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    trigger = serializers.ChoiceField(choices=Round.Trigger.choices)
    status = serializers.ChoiceField(choices=Round.Status.choices)
    prompt_pack = serializers.CharField()
    interval_minutes = serializers.IntegerField(
        allow_null=True, help_text="Set: only the models with this interval of their own."
    )
    planned = serializers.IntegerField(help_text="Models that were to be checked.")
    overlapping = serializers.IntegerField(
        help_text="Models left out because an earlier run was still checking them."
    )
    missed = serializers.IntegerField(
        allow_null=True, help_text="Models the run has no result of; null while it runs."
    )
    done = serializers.IntegerField()
    up = serializers.IntegerField()
    degraded = serializers.IntegerField()
    down = serializers.IntegerField()
    progress = serializers.FloatField(min_value=0, max_value=1)
    self_offline = serializers.BooleanField(help_text="The monitor itself had no network.")
    skipped_slots = serializers.IntegerField(
        help_text="Slots in which no model was free, while this one ran."
    )
    due_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RoundList(serializers.Serializer[Any]):
    items = RoundOutput(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class RoundQuery(serializers.Serializer[Any]):
    limit = limit_field(20, 200)
    offset = offset_field()


class CheckOutput(serializers.ModelSerializer[UptimeCheck]):
    """Times are in milliseconds, rates in tokens per second; null is unknown."""

    model_id = serializers.UUIDField(source="llm_id")
    model_name = serializers.CharField(source="llm.name")
    provider_type = serializers.CharField(source="llm.account.provider_type")
    run_id = serializers.UUIDField(source="round_id")
    latency_ms = serializers.FloatField(
        source="total_latency_ms", allow_null=True, help_text="From sending to the last content."
    )
    estimated_cost = serializers.FloatField(allow_null=True, help_text="USD, of all attempts.")
    quality_flags = serializers.ListField(child=serializers.CharField())
    attempts = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = UptimeCheck
        fields = [
            "id",
            "model_id",
            "model_name",
            "provider_type",
            "run_id",
            "status",
            "error",
            "error_class",
            "counts_for_uptime",
            "latency_ms",
            "ttft_ms",
            "ttfa_ms",
            "tps",
            "tps_excluding_ttft",
            "tpot_ms",
            "queue_wait_ms",
            "connect_ms",
            "response_ms",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "reasoning_tokens",
            "token_source",
            "quality_flags",
            "uncertainty_ms",
            "estimated_cost",
            "attempts",
            "prompt_pack",
            "created_at",
        ]
        read_only_fields = fields


class CheckList(serializers.Serializer[Any]):
    items = CheckOutput(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class CheckQuery(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(required=False, help_text="Our id of the model.")
    status = Choice(choices=UptimeCheck.Status.choices, required=False)
    since = Moment(required=False, help_text="Checks from this time on.")
    enabled_only = serializers.BooleanField(
        default=False, help_text="Only models that are monitored now."
    )
    limit = limit_field(100, 10_000)
    offset = offset_field()


class LastMoment(Moment):
    """A date without a time means the whole of that day."""

    def to_internal_value(self, value: Any) -> datetime:
        found = super().to_internal_value(value)
        is_whole_day = isinstance(value, str) and _DATE_ALONE.fullmatch(value)
        if not is_whole_day:
            return found
        return found.replace(hour=23, minute=59, second=59, microsecond=999_999)


class ExportQuery(serializers.Serializer[Any]):
    format = format_field()
    model_id = serializers.UUIDField(required=False, help_text="Our id of the model.")
    start_date = Moment(required=False)
    end_date = LastMoment(required=False, help_text="A date without a time: all of that day.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        start, end = attrs.get("start_date"), attrs.get("end_date")
        if start is not None and end is not None and start > end:
            raise serializers.ValidationError({"start_date": ["Must not be later than end_date."]})
        return attrs
