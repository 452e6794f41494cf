from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from arguslm.api.fields import Choice, Moment
from arguslm.api.queries import limit_field, offset_field
from monitoring.models import ReportedModel, UptimeCheck
from monitoring.summaries import WINDOWS
from monitoring.timeseries import DEFAULT_SPANS, MOST_POINTS, SPANS


class UptimeInterval(serializers.Serializer[Any]):
    """Wilson's 95 % interval."""

    low = serializers.FloatField()
    high = serializers.FloatField()


class UptimeOutput(serializers.Serializer[Any]):
    """`uptime` is the share of checks that were answered, of the `n` that say something about the
    provider. Account and configuration faults, and rounds without a network of our own, are
    `excluded`.
    """

    uptime = serializers.FloatField(allow_null=True, min_value=0, max_value=1)
    n = serializers.IntegerField()
    interval = UptimeInterval(allow_null=True)
    up = serializers.IntegerField()
    degraded = serializers.IntegerField()
    down = serializers.IntegerField()
    excluded = serializers.IntegerField()


class LastCheck(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=UptimeCheck.Status.choices)
    error_class = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    ttft_ms = serializers.FloatField(allow_null=True)
    latency_ms = serializers.FloatField(source="total_latency_ms", allow_null=True)
    tps = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()


def _windows(name: str, field: Any) -> Any:
    return type(name, (serializers.Serializer,), {w.name: field() for w in WINDOWS})


WindowsOutput = _windows("UptimeWindows", UptimeOutput)
SinceOutput = _windows("UptimeWindowStarts", serializers.DateTimeField)


class SummaryOutput(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(source="llm.pk")
    model_name = serializers.CharField(source="llm.name")
    provider_type = serializers.CharField(source="llm.account.provider_type")
    provider_name = serializers.CharField(source="llm.account.display_name")
    enabled_for_monitoring = serializers.BooleanField(source="llm.enabled_for_monitoring")
    last = LastCheck(allow_null=True)
    windows = WindowsOutput()


class SummaryList(serializers.Serializer[Any]):
    items = SummaryOutput(many=True)
    since = SinceOutput(help_text="Windows begin with a whole hour, the long ones with a UTC day.")
    budget_paused = serializers.BooleanField(help_text="The monthly cap has paused the probing.")
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class SummaryQuery(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(required=False, help_text="Our id of the model.")
    enabled_only = serializers.BooleanField(
        default=True, help_text="Only models that are monitored now."
    )
    limit = limit_field(50, 500)
    offset = offset_field()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_said = "enabled_only" in self.initial_data
        return attrs | {"enabled_only": False} if "model_id" in attrs and not is_said else attrs


class FigureOutput(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    p05 = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class PointOutput(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    checks = serializers.IntegerField()
    uptime = UptimeOutput()
    ttft_ms = serializers.SerializerMethodField()
    latency_ms = serializers.SerializerMethodField()
    tps = serializers.SerializerMethodField()
    estimated_cost = serializers.FloatField(source="cost", allow_null=True, help_text="USD.")

    def get_ttft_ms(self, point: Any) -> FigureOutput:
        return point.figure("ttft")  # type: ignore[no-any-return]

    def get_latency_ms(self, point: Any) -> FigureOutput:
        return point.figure("latency")  # type: ignore[no-any-return]

    def get_tps(self, point: Any) -> FigureOutput:
        return point.figure("tps")  # type: ignore[no-any-return]


class Timeseries(serializers.Serializer[Any]):
    """Percentiles come from histograms: each is within 2.5 % of the exact one."""

    model_id = serializers.UUIDField()
    bucket = serializers.ChoiceField(choices=list(SPANS))
    since = serializers.DateTimeField()
    end = serializers.DateTimeField()
    points = PointOutput(many=True, help_text="Buckets without a check are left out.")


class TimeseriesQuery(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(help_text="Our id of the model.")
    bucket = Choice(choices=list(SPANS), default="hour")
    since = Moment(required=False, help_text="Default: a day before the end, by day 30.")
    end = Moment(required=False, help_text="Default: now.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end = attrs.setdefault("end", timezone.now())
        since = attrs.setdefault("since", end - DEFAULT_SPANS[attrs["bucket"]])
        if since > end:
            raise serializers.ValidationError({"since": ["Must not be later than end."]})
        if (end - since) / SPANS[attrs["bucket"]][1] > MOST_POINTS:
            sentence = f"At most {MOST_POINTS} buckets at once: ask for days or for less time."
            raise serializers.ValidationError({"since": [sentence]})
        return attrs


class ReportedModelOutput(serializers.ModelSerializer[ReportedModel]):
    model_id = serializers.UUIDField(source="llm_id")
    model_name = serializers.CharField(source="llm.name")
    changed_at = serializers.DateTimeField(
        allow_null=True, help_text="The last time that it came unexpectedly."
    )
    replaced = serializers.CharField(help_text="What it came in place of then.")

    class Meta:
        model = ReportedModel
        fields = [
            "model_id",
            "model_name",
            "model_reported",
            "fingerprint",
            "is_current",
            "first_seen_at",
            "current_since",
            "changed_at",
            "replaced",
        ]


class ReportedModelList(serializers.Serializer[Any]):
    items = ReportedModelOutput(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class ReportedModelQuery(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(required=False, help_text="Our id of the model.")
    limit = limit_field(50, 500)
    offset = offset_field()
