from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.db.models import Model
from django.utils import timezone
from rest_framework import serializers

from alerts.models import AlertRule, Silence
from arguslm.api.fields import Id, Moment, Text, Whole
from arguslm.api.serializers import Input
from models_app.models import LLM
from providers.models import ProviderAccount

LONGEST_SILENCE_MINUTES = 7 * 24 * 60


class SilenceOutput(serializers.ModelSerializer[Silence]):
    provider_id = serializers.UUIDField(source="account_id", read_only=True, allow_null=True)
    model_id = serializers.UUIDField(source="llm_id", read_only=True, allow_null=True)
    rule_id = serializers.UUIDField(read_only=True, allow_null=True)
    weekdays = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    active = serializers.SerializerMethodField()

    class Meta:
        model = Silence
        fields = [
            "id",
            "name",
            "provider_id",
            "model_id",
            "rule_id",
            "starts_at",
            "ends_at",
            "weekdays",
            "start_time",
            "duration_minutes",
            "timezone",
            "active",
            "created_at",
            "updated_at",
        ]

    def get_active(self, silence: Silence) -> bool:
        return silence.is_active(timezone.now())


class SilenceList(serializers.Serializer[Any]):
    items = SilenceOutput(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class SilenceInput(Input):
    """Once: from starts_at (default: now) to ends_at. Weekly: weekdays, start_time and
    duration_minutes in timezone; starts_at and ends_at may bound it."""

    read_only_names = ("id", "active", "created_at", "updated_at")

    name = Text(max_length=255)
    provider_id = Id(required=False, allow_null=True)
    model_id = Id(required=False, allow_null=True)
    rule_id = Id(required=False, allow_null=True)
    starts_at = Moment(required=False, allow_null=True)
    ends_at = Moment(required=False, allow_null=True)
    weekdays = serializers.ListField(
        child=Whole(min_value=0, max_value=6), required=False, max_length=7
    )
    start_time = serializers.TimeField(required=False, allow_null=True)
    duration_minutes = Whole(
        required=False, allow_null=True, min_value=1, max_value=LONGEST_SILENCE_MINUTES
    )
    timezone = Text(max_length=64, required=False)

    def validate_provider_id(self, value: UUID | None) -> UUID | None:
        return _known(ProviderAccount, value, "provider")

    def validate_model_id(self, value: UUID | None) -> UUID | None:
        return _known(LLM, value, "model")

    def validate_rule_id(self, value: UUID | None) -> UUID | None:
        return _known(AlertRule, value, "rule")

    def validate_timezone(self, value: str) -> str:
        if value not in available_timezones():
            raise serializers.ValidationError("Must be a name like UTC or Europe/Berlin.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if errors := silence_errors(self._values(attrs)):
            raise serializers.ValidationError({k: [text] for k, text in errors.items()})
        return attrs

    def _values(self, attrs: dict[str, Any]) -> dict[str, Any]:
        names = ("starts_at", "ends_at", "weekdays", "start_time", "duration_minutes")
        known = self.instance or self._new()
        return {name: attrs.get(name, getattr(known, name)) for name in names}

    def _new(self) -> Silence:
        return Silence(starts_at=timezone.now())

    def create(self, validated_data: dict[str, Any]) -> Silence:
        silence = self._new()
        self._put(silence, validated_data)
        silence.save()
        return silence

    def update(self, instance: Silence, validated_data: dict[str, Any]) -> Silence:
        changed = self._put(instance, validated_data)
        instance.save(update_fields=[*changed, "updated_at"])
        return instance

    def _put(self, silence: Silence, values: dict[str, Any]) -> list[str]:
        """The columns that it sets."""
        columns = {"provider_id": "account_id", "model_id": "llm_id"}
        for name, value in values.items():
            setattr(silence, columns.get(name, name), value)
        return [columns.get(name, name) for name in values]


def silence_errors(values: Mapping[str, Any]) -> dict[str, str]:
    starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
    errors: dict[str, str] = {}
    if isinstance(starts_at, datetime) and isinstance(ends_at, datetime) and ends_at <= starts_at:
        errors["ends_at"] = "Must be after starts_at."
    if not _are_weekdays(values.get("weekdays")):
        errors["weekdays"] = "A list of whole numbers from 0 (Monday) to 6."
    elif values.get("weekdays"):
        for name in ("start_time", "duration_minutes"):
            if values.get(name) is None:
                errors[name] = "A weekly silence needs it."
    elif ends_at is None:
        errors["ends_at"] = "A silence that is not weekly needs an end."
    elif values.get("start_time") is not None:
        errors["weekdays"] = "start_time is for a weekly silence: name its weekdays."
    return errors


def _are_weekdays(value: Any) -> bool:
    return not value or (isinstance(value, list) and all(day in range(7) for day in value))


def _known(model: type[Model], value: UUID | None, what: str) -> UUID | None:
    if value is not None and not model._default_manager.filter(pk=value).exists():
        raise serializers.ValidationError(f"There is no such {what}.")
    return value
