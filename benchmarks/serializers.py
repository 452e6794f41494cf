from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from arguslm.api.exports import format_field
from arguslm.api.fields import Choice
from arguslm.api.queries import limit_field, offset_field
from benchmarks.documents import result_document
from benchmarks.inputs import MAX_REQUESTS
from benchmarks.models import BenchmarkResult, BenchmarkRun
from benchmarks.statistics_serializers import IntervalOutput, SloOutput, Statistics
from models_app.models import Measured

MAX_PAGE = 1_000_000


class BenchmarkStarted(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.CharField(help_text="pending")
    message = serializers.CharField()


class RunQuery(serializers.Serializer[Any]):
    page = serializers.IntegerField(default=1, min_value=1, max_value=MAX_PAGE)
    per_page = limit_field(20, 100)
    status = Choice(choices=BenchmarkRun.Status.choices, required=False)


class RunOutput(serializers.ModelSerializer[BenchmarkRun]):
    """Of a run from `BenchmarkRun.objects.described()`."""

    model_ids = serializers.ListField(child=serializers.CharField(), source="llm_ids")
    started_at = serializers.SerializerMethodField()
    result_count = serializers.IntegerField()
    total = serializers.IntegerField(help_text="Requests that the whole run makes.")
    failure_reason = serializers.SerializerMethodField()
    cancelled = serializers.BooleanField(source="is_cancelled")
    eta_s = serializers.SerializerMethodField(help_text="Seconds left; null unless it runs.")
    slo = SloOutput()
    schedule_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = BenchmarkRun
        fields = [
            "id",
            "name",
            "status",
            "model_ids",
            "prompt_pack",
            "triggered_by",
            "started_at",
            "completed_at",
            "result_count",
            "created_at",
            "updated_at",
            "max_tokens",
            "num_runs",
            "concurrency_per_llm",
            "request_rate",
            "arrivals",
            "cache_busting",
            "model_time_limit_s",
            "run_time_limit_s",
            "slo",
            "total",
            "eta_s",
            "seed",
            "schedule_id",
            "failure_reason",
            "cancelled",
        ]
        read_only_fields = fields

    def get_started_at(self, run: BenchmarkRun) -> str:
        # Never null for the published client: until work begins, the time of the order.
        began = run.started_at or run.created_at
        return str(serializers.DateTimeField().to_representation(began))

    def get_eta_s(self, run: Any) -> float | None:
        if run.status != BenchmarkRun.Status.RUNNING:
            return None
        eta_s: float | None = run.seconds_left(run.result_count, timezone.now())
        return eta_s

    def get_failure_reason(self, run: BenchmarkRun) -> str | None:
        return run.failure_reason or None


class RunList(serializers.Serializer[Any]):
    runs = RunOutput(many=True)
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    per_page = serializers.IntegerField()


class MeasurementOutput(serializers.ModelSerializer[BenchmarkResult]):
    """Every figure as it is: null is unknown."""

    quality_flags = serializers.ListField(child=serializers.CharField())
    estimated_cost = serializers.FloatField(allow_null=True)

    class Meta:
        model = BenchmarkResult
        fields = list(Measured.FIGURES)


class ResultOutput(serializers.Serializer[Any]):
    """In the six figures at this level an unknown value is 0; `measurement` has it as null."""

    id = serializers.UUIDField()
    model_id = serializers.UUIDField()
    model_name = serializers.CharField()
    iteration = serializers.IntegerField()
    ordinal = serializers.IntegerField()
    ttft_ms = serializers.FloatField()
    tps = serializers.FloatField()
    tps_excluding_ttft = serializers.FloatField()
    total_latency_ms = serializers.FloatField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    estimated_cost = serializers.FloatField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    error_class = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    measurement = MeasurementOutput()

    def to_representation(self, result: BenchmarkResult) -> dict[str, Any]:
        # Field by field, DRF takes ten times as long; a run may have 20,000 results.
        return result_document(result, self.context["names"][result.llm_id])


class ResultQuery(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(required=False)
    limit = limit_field(MAX_REQUESTS, MAX_REQUESTS)
    offset = offset_field()


class ResultList(serializers.Serializer[Any]):
    results = ResultOutput(many=True)
    total = serializers.IntegerField()


class RegressionOutput(serializers.Serializer[Any]):
    """A model's metric in this run against the earlier runs of its schedule."""

    model_id = serializers.UUIDField()
    model_name = serializers.CharField()
    metric = serializers.CharField()
    state = serializers.CharField()
    confirmed = serializers.BooleanField(
        help_text="Slower in as many runs on end as the schedule asks for before it is an alert."
    )
    reason = serializers.CharField()
    cautions = serializers.ListField(child=serializers.CharField())
    n = serializers.IntegerField()
    n_baseline = serializers.IntegerField()
    baseline_runs = serializers.IntegerField()
    ratio = serializers.FloatField(allow_null=True)
    ratio_interval = IntervalOutput(allow_null=True)
    p_adjusted = serializers.FloatField(allow_null=True)
    p_robust = serializers.FloatField(allow_null=True)
    usual_spread = serializers.FloatField(allow_null=True)
    minimum_detectable_effect = serializers.FloatField(allow_null=True)

    def to_representation(self, verdict: dict[str, Any]) -> dict[str, Any]:
        # As it was judged: an old one may lack what has come since.
        return verdict


class RunHead(RunOutput):
    """All of a run but its results and what follows from them."""

    verdicts = RegressionOutput(
        many=True, allow_null=True, help_text="Null while not judged, or without a schedule."
    )

    class Meta(RunOutput.Meta):
        fields = [*RunOutput.Meta.fields, "verdicts"]
        read_only_fields = fields


class RunDetail(RunHead):
    results = ResultOutput(many=True)
    statistics = Statistics()

    class Meta(RunHead.Meta):
        fields = [*RunHead.Meta.fields, "results", "statistics"]
        read_only_fields = fields


class ExportQuery(serializers.Serializer[Any]):
    format = format_field(default="json")
