from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from arguslm.api import queries
from models_app.models import LLM, MAX_INTERVAL_MINUTES
from models_app.pack_serializers import PackChoice
from models_app.packs import pack_of
from monitoring import costs
from monitoring.costs import ZERO
from monitoring.models import MAX_TOKENS, MonitoringConfig

SHOWN = 50


class EstimateQuery(serializers.Serializer[Any]):
    """What would be; what is not named stays as it is configured."""

    interval_minutes = serializers.IntegerField(
        min_value=1, max_value=MAX_INTERVAL_MINUTES, required=False
    )
    prompt_pack = PackChoice(required=False)
    max_tokens = serializers.IntegerField(min_value=1, max_value=MAX_TOKENS, required=False)
    provider_id = serializers.UUIDField(
        required=False, help_text="All models of this account, monitored or not, and no others."
    )
    model_id = serializers.UUIDField(
        required=False, help_text="This model, monitored or not, and no other."
    )


class ModelEstimate(serializers.Serializer[Any]):
    model_id = serializers.UUIDField(source="llm.pk")
    model_name = serializers.CharField(source="llm.name")
    per_probe_usd = serializers.FloatField(source="usd", allow_null=True)
    per_day_usd = serializers.FloatField(source="usd_per_day", allow_null=True)
    probes_per_day = serializers.FloatField()
    is_measured = serializers.BooleanField(
        help_text="The mean of the probes of the last days, not a list price."
    )


class Estimate(serializers.Serializer[Any]):
    """A successful probe each time; confirmations of failures come on top."""

    per_day_usd = serializers.FloatField()
    per_month_usd = serializers.FloatField(help_text="30 days.")
    probes_per_day = serializers.FloatField()
    models = serializers.IntegerField()
    unpriced_models = serializers.IntegerField(
        help_text="Models without a known price: not in the sums."
    )
    spent_this_month_usd = serializers.FloatField(help_text="Calendar month, UTC.")
    monthly_cap_usd = serializers.FloatField(allow_null=True)
    cap_lasts_days = serializers.FloatField(
        allow_null=True, help_text="Until the cap is reached; null: no cap or no known cost."
    )
    budget_paused = serializers.BooleanField()
    dearest = ModelEstimate(many=True, help_text=f"At most {SHOWN}, the dearest first.")


class CostEstimateViewSet(ViewSet):
    @extend_schema(
        operation_id="monitoring_cost_estimate", parameters=[EstimateQuery], responses=Estimate
    )
    def list(self, request: Request) -> Response:
        query = queries.read(EstimateQuery, request)
        config, now = MonitoringConfig.load(), timezone.now()
        configured = costs.Asking.configured(config)
        asking = _asking(configured, query)
        is_same = (asking.pack, asking.max_tokens) == (configured.pack, configured.max_tokens)
        found = costs.probe_costs(_llms(query), asking, now, measured=is_same)
        return Response(Estimate(_told(found, config, costs.spent_this_month(now))).data)


def _asking(configured: costs.Asking, query: dict[str, Any]) -> costs.Asking:
    pack = pack_of(query["prompt_pack"]) if "prompt_pack" in query else None
    return costs.Asking(
        pack=pack or configured.pack,
        max_tokens=query.get("max_tokens", configured.max_tokens),
        interval_minutes=query.get("interval_minutes", configured.interval_minutes),
    )


def _llms(query: dict[str, Any]) -> Any:
    llms = LLM.objects.select_related("account").order_by("created_at", "id")
    if "model_id" in query:
        return llms.filter(pk=query["model_id"])
    if "provider_id" in query:
        return llms.filter(account=query["provider_id"])
    return llms.monitored()


def _told(found: list[costs.ProbeCost], config: MonitoringConfig, spent: Decimal) -> dict[str, Any]:
    per_day = costs.total(cost.usd_per_day for cost in found)
    cap = config.monthly_cap_usd
    dearest = sorted(found, key=lambda cost: cost.usd_per_day or ZERO, reverse=True)
    return {
        "per_day_usd": per_day,
        "per_month_usd": per_day * costs.DAYS_A_MONTH,
        "probes_per_day": sum(cost.probes_per_day for cost in found),
        "models": len(found),
        "unpriced_models": sum(cost.usd is None for cost in found),
        "spent_this_month_usd": spent,
        "monthly_cap_usd": cap,
        "cap_lasts_days": None if cap is None or not per_day else max(cap - spent, ZERO) / per_day,
        "budget_paused": config.budget_paused,
        "dearest": dearest[:SHOWN],
    }
