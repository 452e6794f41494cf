from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from arguslm.api.fields import Choice
from benchmarks.comparisons import METRICS
from benchmarks.models import BenchmarkRun
from benchmarks.statistics_serializers import IntervalOutput
from models_app.models import LLM
from providers.statistics.comparison import VerdictState

MOST_BASELINES = 20


class ComparisonQuery(serializers.Serializer[Any]):
    """Takes the run as `context["run"]`."""

    baseline = serializers.CharField(
        default="", help_text="Earlier runs, pooled: one id, or several with commas."
    )
    reference = serializers.UUIDField(
        required=False, help_text="The model that all others are compared with."
    )

    def validate_baseline(self, text: str) -> list[BenchmarkRun]:
        ids = [_uuid(part.strip()) for part in text.split(",")] if text else []
        if len(ids) > MOST_BASELINES:
            raise serializers.ValidationError(f"{MOST_BASELINES} runs are the most.")
        if self.context["run"].pk in ids:
            raise serializers.ValidationError("A run is no baseline of itself.")
        found = BenchmarkRun.objects.prefetch_related("targets").in_bulk(ids)
        unknown = [str(run_id) for run_id in ids if run_id not in found]
        if unknown:
            raise serializers.ValidationError(f"No such run: {', '.join(unknown)}.")
        return list(found.values())

    def validate_reference(self, llm_id: UUID) -> UUID:
        if llm_id not in self.context["run"].llm_ids:
            raise serializers.ValidationError("The run has no such model.")
        return llm_id

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["baseline"] and "reference" in attrs:
            raise serializers.ValidationError("Give either baseline or reference.")
        return {**attrs, "baseline": attrs["baseline"] or []}


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise serializers.ValidationError(f"Not the id of a run: {text[:50]!r}.") from exc


class EstimateOutput(serializers.Serializer[Any]):
    value = serializers.FloatField()
    interval = IntervalOutput()


class VerdictOutput(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    model_name = serializers.CharField()
    baseline_model_id = serializers.UUIDField()
    baseline_model_name = serializers.CharField()
    state = serializers.CharField(help_text=", ".join(state.value for state in VerdictState))
    reason = serializers.CharField()
    cautions = serializers.ListField(
        child=serializers.CharField(), help_text="What to keep in mind beside the verdict."
    )
    n = serializers.IntegerField()
    n_baseline = serializers.IntegerField()
    median = serializers.FloatField(allow_null=True)
    baseline_median = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True, help_text="Mann-Whitney, two-sided.")
    p_adjusted = serializers.FloatField(allow_null=True, help_text="After Holm.")
    p_robust = serializers.FloatField(
        allow_null=True, help_text="Brunner-Munzel after Holm: allows for unequal spreads."
    )
    ratio = EstimateOutput(allow_null=True, help_text="Hodges-Lehmann, model over baseline.")
    shift = EstimateOutput(allow_null=True, help_text="The same as a difference.")
    minimum_detectable_effect = serializers.FloatField(
        allow_null=True, help_text="Relative change that gets a verdict with 80 %."
    )
    usual_spread = serializers.FloatField(
        allow_null=True,
        help_text="How far one more run may lie from three or more earlier ones; else null.",
    )


class MetricComparison(serializers.Serializer[Any]):
    metric = serializers.CharField()
    better = serializers.CharField(help_text="lower or higher")
    alpha = serializers.FloatField()
    smallest_effect = serializers.FloatField(help_text="Relative change below which none counts.")
    comparisons = VerdictOutput(many=True)


class ComparisonOutput(serializers.Serializer[Any]):
    run_id = serializers.UUIDField()
    baseline = serializers.ListField(child=serializers.UUIDField())
    metrics = MetricComparison(many=True)


class SizingQuery(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    metric = Choice(choices=METRICS, default="ttft_ms")
    effect = serializers.FloatField(
        default=0.1, min_value=0.001, max_value=100, help_text="Relative change to be found."
    )
    power = serializers.FloatField(default=0.8, min_value=0.5, max_value=0.999)
    prompt_pack = serializers.CharField(required=False, max_length=64)

    def validate_model_id(self, llm_id: UUID) -> LLM:
        llm = LLM.objects.filter(pk=llm_id).first()
        if llm is None:
            raise serializers.ValidationError("No such model.")
        return llm


class BasedOn(serializers.Serializer[Any]):
    runs = serializers.IntegerField()
    values = serializers.IntegerField()


class Detectable(serializers.Serializer[Any]):
    runs = serializers.IntegerField()
    effect = serializers.FloatField(allow_null=True)


class BetweenRuns(serializers.Serializer[Any]):
    """Of runs that asked like the newest one, at different times."""

    runs = serializers.IntegerField()
    usual_spread = serializers.FloatField(
        allow_null=True,
        help_text="A change below this, from one run to the next, is no news, however many "
        "requests a run makes. Null below three runs.",
    )


class RunsNeeded(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    metric = serializers.CharField()
    effect = serializers.FloatField()
    power = serializers.FloatField()
    spread = serializers.FloatField(
        allow_null=True, help_text="Standard deviation of the logarithms inside a run."
    )
    based_on = BasedOn()
    runs_needed = serializers.IntegerField(
        allow_null=True, help_text="On each side, when both are asked at the same time."
    )
    reason = serializers.CharField(allow_null=True, help_text="Why there is no such number.")
    fewest_runs = serializers.IntegerField(help_text="Fewer can never be significant.")
    detectable = Detectable(many=True)
    between_runs = BetweenRuns()
