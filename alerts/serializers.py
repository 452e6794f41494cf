from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alerts.models import Alert, AlertRule
from alerts.thresholds import DegradationConfig, parse_threshold_config
from arguslm.api.fields import Choice, Document, Flag, Id, Moment, Text
from arguslm.api.queries import limit_field, offset_field
from arguslm.api.serializers import Input
from models_app.models import LLM

NO_DELIVERY = "Only in-app alerts are delivered by this version; leave this out or send false."


class AlertRuleOutput(serializers.ModelSerializer[AlertRule]):
    target_model_id = serializers.UUIDField(source="target_llm_id", read_only=True, allow_null=True)
    webhook_url = serializers.CharField(read_only=True, allow_null=True)
    threshold_config = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = AlertRule
        fields = [
            "id",
            "name",
            "rule_type",
            "enabled",
            "target_model_id",
            "target_model_name",
            "threshold_config",
            "notify_in_app",
            "notify_email",
            "notify_webhook",
            "webhook_url",
            "created_at",
            "updated_at",
        ]


class _RuleFields(Input):
    read_only_names: tuple[str, ...] = ("id", "webhook_url", "created_at", "updated_at")

    def validate_notify_email(self, value: bool) -> bool:
        return _not_yet(value)

    def validate_notify_webhook(self, value: bool) -> bool:
        return _not_yet(value)


def _not_yet(value: bool) -> bool:
    if value:
        raise serializers.ValidationError(NO_DELIVERY)
    return value


def threshold_errors(kind: str, raw: dict[str, Any] | None) -> dict[str, list[str]] | list[str]:
    if not raw:
        return {}
    if kind != AlertRule.Type.PERFORMANCE_DEGRADATION:
        return [f"Only a {AlertRule.Type.PERFORMANCE_DEGRADATION} rule has thresholds."]
    parsed = parse_threshold_config(raw)
    return {} if isinstance(parsed, DegradationConfig) else parsed


class AlertRuleInput(_RuleFields):
    name = Text(max_length=255)
    rule_type = Choice(choices=AlertRule.Type.choices)
    target_model_id = Id(required=False, allow_null=True)
    target_model_name = Text(max_length=255, required=False, allow_null=True)
    threshold_config = Document(required=False, allow_null=True)
    enabled = Flag(default=True)
    notify_in_app = Flag(default=True)
    notify_email = Flag(default=False)
    notify_webhook = Flag(default=False)

    def validate_target_model_id(self, value: Any) -> LLM | None:
        if value is None:
            return None
        llm = LLM.objects.filter(pk=value).first()
        if llm is None:
            raise serializers.ValidationError("There is no such model.")
        return llm

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        kind = attrs["rule_type"]
        needed = {
            AlertRule.Type.SPECIFIC_MODEL_DOWN: "target_model_id",
            AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE: "target_model_name",
        }.get(kind)
        if needed and attrs.get(needed) is None:
            raise serializers.ValidationError({needed: [f"A {kind} rule needs it."]})
        if errors := threshold_errors(kind, attrs.get("threshold_config")):
            raise serializers.ValidationError({"threshold_config": errors})
        return attrs

    def create(self, validated_data: dict[str, Any]) -> AlertRule:
        target = validated_data.pop("target_model_id", None)
        return AlertRule.objects.create(target_llm=target, **validated_data)


class AlertRulePatch(_RuleFields):
    read_only_names = (
        *_RuleFields.read_only_names,
        "rule_type",
        "target_model_id",
        "target_model_name",
    )

    name = Text(max_length=255, required=False)
    threshold_config = Document(required=False, allow_null=True)
    enabled = Flag(required=False)
    notify_in_app = Flag(required=False)
    notify_email = Flag(required=False)
    notify_webhook = Flag(required=False)

    def validate_threshold_config(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        assert isinstance(self.instance, AlertRule)
        if errors := threshold_errors(self.instance.rule_type, value):
            raise serializers.ValidationError(errors)
        return value

    def update(self, instance: AlertRule, validated_data: dict[str, Any]) -> AlertRule:
        instance.change(**validated_data)
        return instance


class AlertOutput(serializers.ModelSerializer[Alert]):
    rule_id = serializers.UUIDField(source="rule_key", read_only=True)
    model_id = serializers.UUIDField(source="llm_id", read_only=True, allow_null=True)
    model_name = serializers.CharField(source="llm.name", read_only=True, default=None)
    state = serializers.ChoiceField(choices=["open", "resolved"], read_only=True)

    class Meta:
        model = Alert
        fields = [
            "id",
            "rule_id",
            "rule_name",
            "rule_type",
            "model_id",
            "model_name",
            "scope",
            "message",
            "error_class",
            "state",
            "acknowledged",
            "acknowledged_at",
            "occurrences",
            "last_seen_at",
            "resolved_at",
            "created_at",
        ]


class AlertQuery(serializers.Serializer[Any]):
    rule_id = serializers.UUIDField(required=False)
    model_id = serializers.UUIDField(required=False)
    acknowledged = serializers.BooleanField(required=False, allow_null=True, default=None)
    since = Moment(required=False)
    limit = limit_field(50, 500)
    offset = offset_field()


class RecentQuery(serializers.Serializer[Any]):
    limit = limit_field(10, 50)


class AlertList(serializers.Serializer[Any]):
    items = AlertOutput(many=True)
    total = serializers.IntegerField()
    unacknowledged_count = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class RecentAlerts(serializers.Serializer[Any]):
    items = AlertOutput(many=True)
    total_unread = serializers.IntegerField()


class UnreadCount(serializers.Serializer[Any]):
    count = serializers.IntegerField()
