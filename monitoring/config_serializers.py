from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError as Invalid
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arguslm.api.fields import Amount, Flag, Whole
from arguslm.api.serializers import Input
from models_app.models import MAX_EXPECTED_TEXT
from models_app.pack_serializers import PackChoice
from models_app.packs import pack_of
from monitoring.models import (
    MAX_CONCURRENCY,
    MAX_DAYS,
    MAX_INTERVAL_MINUTES,
    MAX_TOKENS,
    MonitoringConfig,
)
from monitoring.models.config import MAX_JITTER_S, MAX_PAUSE_S, MAX_PAUSES, check_canaries

MAX_CAP_USD = 10_000_000

READ_ONLY = (
    "id",
    "budget_paused",
    "budget_paused_at",
    "last_run_at",
    "next_due_at",
    "created_at",
    "updated_at",
)


class ConfigOutput(serializers.ModelSerializer[MonitoringConfig]):
    budget_paused = serializers.BooleanField(help_text="The monthly cap has paused the probing.")
    monthly_cap_usd = serializers.FloatField(allow_null=True)
    confirmation_pauses_s = serializers.ListField(child=serializers.FloatField())
    canaries = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = MonitoringConfig
        fields = [
            "id",
            "interval_minutes",
            "prompt_pack",
            "enabled",
            "max_tokens",
            "global_concurrency",
            "provider_concurrency",
            "llm_concurrency",
            "jitter_s",
            "confirmation_pauses_s",
            "canaries",
            "monthly_cap_usd",
            "budget_paused",
            "budget_paused_at",
            "raw_days",
            "hourly_days",
            "daily_days",
            "last_run_at",
            "next_due_at",
            "created_at",
            "updated_at",
        ]


def _concurrency() -> Whole:
    return Whole(min_value=1, max_value=MAX_CONCURRENCY, required=False)


class Canaries(serializers.DictField):
    """Expected texts by prompt pack; an empty object switches the canaries off."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        found: dict[str, str] = super().to_internal_value(data)
        try:
            check_canaries(found)
        except Invalid as exc:
            raise serializers.ValidationError(exc.messages) from exc
        unknown = [name for name in found if pack_of(name) is None]
        if unknown:
            raise serializers.ValidationError(f"There is no prompt pack {unknown[0][:64]!r}.")
        return found


@extend_schema_field(float)
class Cap(Amount):
    def to_internal_value(self, data: Any) -> Any:
        try:
            return Decimal(str(super().to_internal_value(data))).quantize(Decimal("0.0001"))
        except InvalidOperation:
            self.fail("invalid")


class ConfigPatch(Input):
    read_only_names = READ_ONLY

    interval_minutes = Whole(min_value=1, max_value=MAX_INTERVAL_MINUTES, required=False)
    prompt_pack = PackChoice(required=False)
    enabled = Flag(required=False)
    max_tokens = Whole(min_value=1, max_value=MAX_TOKENS, required=False)
    global_concurrency = _concurrency()
    provider_concurrency = _concurrency()
    llm_concurrency = _concurrency()
    jitter_s = Whole(min_value=0, max_value=MAX_JITTER_S, required=False)
    confirmation_pauses_s = serializers.ListField(
        child=Amount(min_value=0, max_value=MAX_PAUSE_S), max_length=MAX_PAUSES, required=False
    )
    canaries = Canaries(
        child=serializers.CharField(max_length=MAX_EXPECTED_TEXT),
        required=False,
        help_text="Text that answers must contain, in any case, by prompt pack.",
    )
    monthly_cap_usd = Cap(min_value=0, max_value=MAX_CAP_USD, allow_null=True, required=False)
    raw_days = Whole(min_value=1, max_value=MAX_DAYS, required=False)
    hourly_days = Whole(min_value=8, max_value=MAX_DAYS, required=False)
    daily_days = Whole(min_value=91, max_value=MAX_DAYS, allow_null=True, required=False)
