"""What the API says of the figures of a run."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from benchmarks.summaries import PERCENTS


class SloOutput(serializers.Serializer[Any]):
    """As it was given; an empty object is no objective."""

    preset = serializers.CharField(required=False)
    ttft_ms = serializers.FloatField(required=False)
    latency_ms = serializers.FloatField(required=False)
    tpot_ms = serializers.FloatField(required=False)
    tps = serializers.FloatField(required=False)

    def to_representation(self, slo: dict[str, Any]) -> dict[str, Any]:
        return slo


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
