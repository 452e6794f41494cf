from __future__ import annotations

from typing import Any

from rest_framework import serializers

from arguslm.api.fields import Amount, Document, Flag, Id, Lines, Text, Whole
from arguslm.api.queries import limit_field, offset_field
from arguslm.api.serializers import Input
from models_app.models import (
    LARGEST_LIMIT_MS,
    LLM,
    MAX_EXPECTED_TEXT,
    MAX_INTERVAL_MINUTES,
    SMALLEST_LIMIT_MS,
)
from providers.models import ProviderAccount
from providers.serializers import ProviderInput

READ_ONLY = ("id", "provider_name", "source", "model_metadata", "created_at", "updated_at")


class ModelOutput(serializers.ModelSerializer[LLM]):
    """`model_id` is the provider's identifier of the model; `id` is ours."""

    provider_account_id = serializers.UUIDField(source="account_id", read_only=True)
    provider_name = serializers.CharField(source="account.display_name", read_only=True)
    provider_type = serializers.CharField(source="account.provider_type", read_only=True)
    model_id = serializers.CharField(source="upstream_id", read_only=True)
    model_metadata = serializers.DictField(source="metadata", read_only=True)

    class Meta:
        model = LLM
        fields = [
            "id",
            "provider_account_id",
            "provider_name",
            "provider_type",
            "model_id",
            "custom_name",
            "source",
            "enabled_for_monitoring",
            "enabled_for_benchmark",
            "monitoring_interval_minutes",
            "ttft_limit_ms",
            "latency_limit_ms",
            "expected_text",
            "model_metadata",
            "created_at",
            "updated_at",
        ]


class ModelList(serializers.Serializer[Any]):
    items = ModelOutput(many=True)
    total = serializers.IntegerField()
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class ModelQuery(serializers.Serializer[Any]):
    provider_id = serializers.UUIDField(required=False)
    provider_account_id = serializers.UUIDField(
        required=False, help_text="The same as provider_id; the published client sends this one."
    )
    enabled_for_monitoring = serializers.BooleanField(required=False, allow_null=True, default=None)
    enabled_for_benchmark = serializers.BooleanField(required=False, allow_null=True, default=None)
    search = serializers.CharField(required=False, allow_blank=True, max_length=500)
    limit = limit_field(50, 500)
    offset = offset_field()


def _limit() -> Amount:
    return Amount(
        min_value=SMALLEST_LIMIT_MS, max_value=LARGEST_LIMIT_MS, allow_null=True, required=False
    )


class WatchInput(Input):
    """How one model is watched, where it differs from the rest; null is no difference."""

    monitoring_interval_minutes = Whole(
        min_value=1, max_value=MAX_INTERVAL_MINUTES, allow_null=True, required=False
    )
    ttft_limit_ms = _limit()
    latency_limit_ms = _limit()
    expected_text = Lines(
        max_length=MAX_EXPECTED_TEXT,
        allow_null=True,
        required=False,
        help_text="Text that answers must contain, in any case.",
    )


WATCH_FIELDS = ("monitoring_interval_minutes", "ttft_limit_ms", "latency_limit_ms", "expected_text")


class ModelInput(WatchInput):
    read_only_names = READ_ONLY

    provider_account_id = Id()
    model_id = Text(max_length=255)
    custom_name = Text(max_length=255, allow_null=True, required=False)
    metadata = Document(allow_null=True, required=False)
    enabled_for_monitoring = Flag(default=False)
    enabled_for_benchmark = Flag(default=True)

    def validate_provider_account_id(self, value: Any) -> ProviderAccount:
        account = ProviderAccount.objects.filter(pk=value).first()
        if account is None:
            raise serializers.ValidationError("There is no such provider account.")
        return account

    def create(self, validated_data: dict[str, Any]) -> LLM:
        return LLM.objects.create(
            account=validated_data["provider_account_id"],
            upstream_id=validated_data["model_id"],
            custom_name=validated_data.get("custom_name"),
            metadata=validated_data.get("metadata") or {},
            source=LLM.Source.MANUAL,
            enabled_for_monitoring=validated_data["enabled_for_monitoring"],
            enabled_for_benchmark=validated_data["enabled_for_benchmark"],
            **{name: validated_data.get(name) for name in WATCH_FIELDS},
        )


class ModelPatch(WatchInput):
    read_only_names = (*READ_ONLY, "provider_account_id", "provider_type", "model_id")

    custom_name = Text(max_length=255, allow_null=True, required=False)
    enabled_for_monitoring = Flag(required=False)
    enabled_for_benchmark = Flag(required=False)
    metadata = Document(required=False)

    def update(self, instance: LLM, validated_data: dict[str, Any]) -> LLM:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=[*validated_data, "updated_at"])
        return instance


class ConnectionTest(ProviderInput):
    display_name = Text(max_length=255, required=False)
    model = Text(max_length=255, required=False, help_text="Send the test message to this model.")


class StoredConnectionTest(Input):
    model = Text(max_length=255, required=False, help_text="Send the test message to this model.")


class ConnectionVerdict(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()
    details = serializers.DictField(
        help_text="Where known: models_found, model_tested, latency_ms, ttft_ms, error_class."
    )


class RefreshVerdict(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    models_discovered = serializers.IntegerField()
    message = serializers.CharField()
