from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from arguslm.api.exports import format_field
from arguslm.api.fields import Id, Text, Whole
from arguslm.api.queries import limit_field, offset_field
from arguslm.api.serializers import Input
from benchmarks.documents import result_document
from benchmarks.models import BenchmarkResult, BenchmarkRun
from benchmarks.summaries import PERCENTS
from models_app.models import LLM, Measured
from models_app.prompts import PROMPT_PACKS

MAX_LLMS = 50
MAX_ITERATIONS = 1_000
MAX_REQUESTS = 20_000
MAX_PAGE = 1_000_000


class BenchmarkInput(Input):
    model_ids = serializers.ListField(
        child=Id(), min_length=1, max_length=MAX_LLMS, help_text="Distinct; one LLM each."
    )
    prompt_pack = Text(max_length=64)
    name = Text(max_length=255, required=False, allow_null=True, allow_blank=True)
    max_tokens = Whole(default=200, min_value=1, max_value=4096)
    num_runs = Whole(default=3, min_value=1, max_value=MAX_ITERATIONS)

    def validate_model_ids(self, llm_ids: list[UUID]) -> list[LLM]:
        """The LLMs in the order in which they were named."""
        twice = sorted({str(llm_id) for llm_id in llm_ids if llm_ids.count(llm_id) > 1})
        if twice:
            raise serializers.ValidationError(f"Named more than once: {', '.join(twice)}.")
        found = LLM.objects.select_related("account").in_bulk(llm_ids)
        unknown = [str(llm_id) for llm_id in llm_ids if llm_id not in found]
        if unknown:
            raise serializers.ValidationError(f"No such model: {', '.join(unknown)}.")
        closed = [llm for llm in found.values() if not _may_run(llm)]
        if closed:
            names = ", ".join(f"{llm.name} ({llm.pk})" for llm in closed)
            raise serializers.ValidationError(f"Not enabled for benchmarks: {names}.")
        return [found[llm_id] for llm_id in llm_ids]

    def validate_prompt_pack(self, pack: str) -> str:
        if pack not in PROMPT_PACKS:
            raise serializers.ValidationError(f"Known packs: {', '.join(PROMPT_PACKS)}.")
        return pack

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        requests = len(attrs["model_ids"]) * attrs["num_runs"]
        if requests > MAX_REQUESTS:
            raise serializers.ValidationError(
                f"The run would make {requests} requests; {MAX_REQUESTS} is the most."
            )
        return attrs


def _may_run(llm: LLM) -> bool:
    return llm.enabled_for_benchmark and llm.account.enabled


class BenchmarkStarted(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.CharField(help_text="pending")
    message = serializers.CharField()


class RunQuery(serializers.Serializer[Any]):
    page = serializers.IntegerField(default=1, min_value=1, max_value=MAX_PAGE)
    per_page = limit_field(20, 100)
    status = serializers.ChoiceField(choices=BenchmarkRun.Status.choices, required=False)


class RunOutput(serializers.ModelSerializer[BenchmarkRun]):
    """Of a run from `BenchmarkRun.objects.described()`."""

    model_ids = serializers.ListField(child=serializers.CharField(), source="llm_ids")
    started_at = serializers.SerializerMethodField()
    result_count = serializers.IntegerField()
    total = serializers.IntegerField(help_text="Requests that the whole run makes.")
    failure_reason = serializers.SerializerMethodField()
    cancelled = serializers.BooleanField(source="is_cancelled")

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
            "total",
            "seed",
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


def _spread(metric: str) -> type[serializers.Serializer[Any]]:
    percents = [f"p{percent}" for percent in PERCENTS[metric]]
    flags = {name: serializers.BooleanField() for name in percents}
    fields: dict[str, Any] = {
        "n": serializers.IntegerField(),
        **{n: serializers.FloatField(allow_null=True) for n in [*percents, "min", "max"]},
        "indicative": serializers.BooleanField(help_text="Fewer than five values."),
        "reliable": type(f"Reliable_{metric}", (serializers.Serializer,), flags)(),
    }
    return type(f"Spread_{metric}", (serializers.Serializer,), fields)


class ModelStatistics(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    model_name = serializers.CharField()
    n = serializers.IntegerField(help_text="Successful results.")
    n_failed = serializers.IntegerField()
    ttft_ms = _spread("ttft_ms")()
    tps = _spread("tps")()
    total_latency_ms = _spread("total_latency_ms")()


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
    per_model = ModelStatistics(many=True)


class RunDetail(RunOutput):
    results = ResultOutput(many=True)
    statistics = Statistics()

    class Meta(RunOutput.Meta):
        fields = [*RunOutput.Meta.fields, "results", "statistics"]
        read_only_fields = fields


class ExportQuery(serializers.Serializer[Any]):
    format = format_field(default="json")
