from __future__ import annotations

from typing import Any

from rest_framework import serializers

from arguslm.api.exports import format_field
from arguslm.api.fields import Choice
from arguslm.api.queries import limit_field, offset_field
from benchmarks.documents import result_document
from benchmarks.inputs import MAX_REQUESTS
from benchmarks.models import BenchmarkResult, BenchmarkRun
from benchmarks.summaries import PERCENTS
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


class SloOutput(serializers.Serializer[Any]):
    """As it was given; an empty object is no objective."""

    preset = serializers.CharField(required=False)
    ttft_ms = serializers.FloatField(required=False)
    latency_ms = serializers.FloatField(required=False)
    tpot_ms = serializers.FloatField(required=False)
    tps = serializers.FloatField(required=False)

    def to_representation(self, slo: dict[str, Any]) -> dict[str, Any]:
        return slo


class RunOutput(serializers.ModelSerializer[BenchmarkRun]):
    """Of a run from `BenchmarkRun.objects.described()`."""

    model_ids = serializers.ListField(child=serializers.CharField(), source="llm_ids")
    started_at = serializers.SerializerMethodField()
    result_count = serializers.IntegerField()
    total = serializers.IntegerField(help_text="Requests that the whole run makes.")
    failure_reason = serializers.SerializerMethodField()
    cancelled = serializers.BooleanField(source="is_cancelled")
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


class IntervalOutput(serializers.Serializer[Any]):
    low = serializers.FloatField()
    high = serializers.FloatField()
    coverage = serializers.FloatField(help_text="The probability achieved.")


class RateOutput(serializers.Serializer[Any]):
    rate = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField()
    n = serializers.IntegerField()
    interval = IntervalOutput(allow_null=True, help_text="Wilson, 95 %.")


class GoodputOutput(serializers.Serializer[Any]):
    attainment = RateOutput(help_text="Requests that met all objectives, among all requests.")
    requests_per_second = serializers.FloatField(allow_null=True)


class ThroughputOutput(serializers.Serializer[Any]):
    """Of the successful requests, by the time in which the model was asked."""

    seconds = serializers.FloatField(
        allow_null=True,
        help_text="With a request in flight; in an open loop from the first to the last.",
    )
    requests_per_second = serializers.FloatField(allow_null=True)
    output_tokens_per_second = serializers.FloatField(allow_null=True)


class DriftOutput(serializers.Serializer[Any]):
    """TTFT in the second half of the run against the first."""

    ratio = serializers.FloatField(help_text="Of the medians.")
    p = serializers.FloatField(
        help_text="Mann-Whitney. Small: the level moved, and the intervals are too narrow."
    )


class CostOutput(serializers.Serializer[Any]):
    total_usd = serializers.FloatField(allow_null=True)
    per_1000_requests_usd = serializers.FloatField(allow_null=True)
    per_good_request_usd = serializers.FloatField(allow_null=True)


class TokenAuditOutput(serializers.Serializer[Any]):
    """Reported tokens over our estimate of the text; the estimate is off by up to 30 %."""

    n_reported = serializers.IntegerField()
    n_estimated = serializers.IntegerField()
    output_ratio = serializers.FloatField(allow_null=True)
    input_ratio = serializers.FloatField(allow_null=True)
    n_mismatched = serializers.IntegerField()


def _spread(metric: str) -> type[serializers.Serializer[Any]]:
    percents = [f"p{percent}" for percent in PERCENTS[metric]]
    flags = {name: serializers.BooleanField() for name in percents}
    tails = {name: IntervalOutput(allow_null=True) for name in percents if name != "p50"}
    figures = [*percents, "min", "max", "mean"]
    fields: dict[str, Any] = {
        "n": serializers.IntegerField(),
        **{n: serializers.FloatField(allow_null=True) for n in figures},
        "median_interval": IntervalOutput(allow_null=True),
        "tail_intervals": type(f"Tails_{metric}", (serializers.Serializer,), tails)(
            help_text="Null while the sample is too small to have an upper end."
        ),
        "points": serializers.ListField(
            child=serializers.FloatField(), help_text="All values while there are fewer than five."
        ),
        "indicative": serializers.BooleanField(help_text="Fewer than five values."),
        "reliable": type(f"Reliable_{metric}", (serializers.Serializer,), flags)(),
    }
    return type(f"Spread_{metric}", (serializers.Serializer,), fields)


class ModelHead(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    model_name = serializers.CharField()
    n = serializers.IntegerField(help_text="Successful results.")
    n_failed = serializers.IntegerField()
    n_planned = serializers.IntegerField()
    success = RateOutput()
    error_classes = serializers.DictField(child=serializers.IntegerField())
    quality_flags = serializers.DictField(child=serializers.IntegerField())
    throughput = ThroughputOutput()
    goodput = GoodputOutput(allow_null=True, help_text="Null without objectives.")
    cost = CostOutput()
    token_audit = TokenAuditOutput()
    drift = DriftOutput(allow_null=True, help_text="Null below eight values.")


# One member per metric, each with the percentiles that matter for it.
ModelStatistics: Any = type(
    "ModelStatistics", (ModelHead,), {metric: _spread(metric)() for metric in PERCENTS}
)


class Statistics(serializers.Serializer[Any]):
    """Pooled over all successful results, 0 when there is none; `per_model` keeps them apart."""

    ttft_p50 = serializers.FloatField()
    ttft_p95 = serializers.FloatField()
    ttft_p99 = serializers.FloatField()
    tps_p50 = serializers.FloatField()
    tps_p95 = serializers.FloatField()
    tps_p99 = serializers.FloatField()
    quantile_method = serializers.CharField()
    n = serializers.IntegerField()
    slo = SloOutput(allow_null=True, help_text="The objectives with their preset filled in.")
    cost_usd = serializers.FloatField(allow_null=True)
    per_model = ModelStatistics(many=True)


class RunDetail(RunOutput):
    results = ResultOutput(many=True)
    statistics = Statistics()

    class Meta(RunOutput.Meta):
        fields = [*RunOutput.Meta.fields, "results", "statistics"]
        read_only_fields = fields


class ExportQuery(serializers.Serializer[Any]):
    format = format_field(default="json")
