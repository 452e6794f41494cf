from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from rest_framework import serializers

from alerts.models import AlertRule, Channel
from alerts.models.alerts import LONGEST_REMINDER_MINUTES
from alerts.thresholds import DegradationConfig, parse_threshold_config
from alerts.webhook_addresses import webhook_fault
from alerts.webhooks_of_rules import own_channel, point_at, shown_webhook_url
from arguslm.api.fields import Choice, Document, Flag, Id, Text, Whole
from arguslm.api.serializers import Input
from models_app.models import LLM

MOST_CHANNELS = 100
# What a rule judges: field of the API and of the row. They must fit each other.
JUDGING = {
    "rule_type": "rule_type",
    "target_model_id": "target_llm",
    "target_model_name": "target_model_name",
    "threshold_config": "threshold_config",
}


class AlertRuleOutput(serializers.ModelSerializer[AlertRule]):
    target_model_id = serializers.UUIDField(source="target_llm_id", read_only=True, allow_null=True)
    webhook_url = serializers.SerializerMethodField(
        help_text="The parts that may be secret are masked."
    )
    threshold_config = serializers.DictField(read_only=True, allow_null=True)
    channel_ids = serializers.SerializerMethodField()

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
            "remind_every_minutes",
            "channel_ids",
            "created_at",
            "updated_at",
        ]

    def get_webhook_url(self, rule: AlertRule) -> str | None:
        return shown_webhook_url(rule)

    def get_channel_ids(self, rule: AlertRule) -> list[UUID]:
        return sorted(channel.pk for channel in rule.channels.all())


def threshold_errors(kind: str, raw: dict[str, Any] | None) -> dict[str, list[str]] | list[str]:
    if not raw:
        return {}
    if kind != AlertRule.Type.PERFORMANCE_DEGRADATION:
        return [f"Only a {AlertRule.Type.PERFORMANCE_DEGRADATION} rule has thresholds."]
    parsed = parse_threshold_config(raw)
    return {} if isinstance(parsed, DegradationConfig) else parsed


def check_target(attrs: dict[str, Any]) -> None:
    kind = attrs["rule_type"]
    needed = {
        AlertRule.Type.SPECIFIC_MODEL_DOWN: "target_model_id",
        AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE: "target_model_name",
    }.get(kind)
    if needed and attrs.get(needed) is None:
        raise serializers.ValidationError({needed: [f"A {kind} rule needs it."]})
    if errors := threshold_errors(kind, attrs.get("threshold_config")):
        raise serializers.ValidationError({"threshold_config": errors})


def existing_llm(pk: UUID | None) -> LLM | None:
    if pk is None:
        return None
    llm = LLM.objects.filter(pk=pk).first()
    if llm is None:
        raise serializers.ValidationError("There is no such model.")
    return llm


class _RuleFields(Input):
    read_only_names: tuple[str, ...] = ("id", "created_at", "updated_at")

    def validate_webhook_url(self, value: str | None) -> str | None:
        known = self.instance if isinstance(self.instance, AlertRule) else None
        if value is None or (known and value == shown_webhook_url(known)):
            return value
        fault = "This is a masked address." if "***" in value else webhook_fault(value)
        if fault:
            raise serializers.ValidationError(fault)
        return value

    def validate_channel_ids(self, value: list[UUID]) -> list[Channel]:
        rows = Channel.objects.filter(pk__in=value, own_rule=None)
        found = {channel.pk: channel for channel in rows}
        if missing := [str(pk) for pk in value if pk not in found]:
            raise serializers.ValidationError(f"There is no channel {missing[0]}.")
        return list(found.values())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A switch that nobody would hear is an error, not a silent success."""
        has_own = bool(attrs["webhook_url"]) if "webhook_url" in attrs else self._has_own()
        shared = Channel.objects.filter(own_rule=None)
        if attrs.get("notify_webhook") and not has_own:
            self._require("notify_webhook", shared.filter(kind=Channel.Kind.WEBHOOK).exists())
        if attrs.get("notify_email"):
            self._require("notify_email", shared.filter(kind=Channel.Kind.EMAIL).exists())
        return attrs

    def _has_own(self) -> bool:
        return isinstance(self.instance, AlertRule) and own_channel(self.instance) is not None

    def _require(self, field: str, is_there: bool) -> None:
        if not is_there:
            kind = "webhook_url or a webhook" if field == "notify_webhook" else "an e-mail"
            sentence = f"There is nobody to tell: first give {kind} channel (/alerts/channels)."
            raise serializers.ValidationError({field: [sentence]})


def _channel_ids(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=Id(), max_length=MOST_CHANNELS, **kwargs)


def _reminder(**kwargs: Any) -> Whole:
    return Whole(min_value=1, max_value=LONGEST_REMINDER_MINUTES, allow_null=True, **kwargs)


def _webhook_url(**kwargs: Any) -> Text:
    return Text(max_length=2048, allow_null=True, **kwargs)


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
    webhook_url = _webhook_url(required=False)
    remind_every_minutes = _reminder(required=False)
    channel_ids = _channel_ids(required=False)

    def validate_target_model_id(self, value: UUID | None) -> LLM | None:
        return existing_llm(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_target(attrs)
        return super().validate(attrs)

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> AlertRule:
        target = validated_data.pop("target_model_id", None)
        channels = validated_data.pop("channel_ids", [])
        url = validated_data.pop("webhook_url", None)
        rule = AlertRule.objects.create(target_llm=target, **validated_data)
        rule.channels.set(channels)
        point_at(rule, url)
        return rule


class AlertRulePatch(_RuleFields):
    name = Text(max_length=255, required=False)
    rule_type = Choice(choices=AlertRule.Type.choices, required=False)
    target_model_id = Id(required=False, allow_null=True)
    target_model_name = Text(max_length=255, required=False, allow_null=True)
    threshold_config = Document(required=False, allow_null=True)
    enabled = Flag(required=False)
    notify_in_app = Flag(required=False)
    notify_email = Flag(required=False)
    notify_webhook = Flag(required=False)
    webhook_url = _webhook_url(required=False)
    remind_every_minutes = _reminder(required=False)
    channel_ids = _channel_ids(required=False)

    def validate_target_model_id(self, value: UUID | None) -> LLM | None:
        return existing_llm(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys().isdisjoint(JUDGING):
            check_target({**self._judging_now(), **attrs})
        return super().validate(attrs)

    def _judging_now(self) -> dict[str, Any]:
        assert isinstance(self.instance, AlertRule)
        return {name: getattr(self.instance, column) for name, column in JUDGING.items()}

    @transaction.atomic
    def update(self, instance: AlertRule, validated_data: dict[str, Any]) -> AlertRule:
        if "channel_ids" in validated_data:
            instance.channels.set(validated_data.pop("channel_ids"))
        if "webhook_url" in validated_data:
            point_at(instance, validated_data.pop("webhook_url"))
        instance.change(**{JUDGING.get(name, name): v for name, v in validated_data.items()})
        return instance


class ReplayInput(Input):
    """A rule as it would be created; what tells of its alerts does not matter here."""

    read_only_names: tuple[str, ...] = (
        *_RuleFields.read_only_names,
        "notify_in_app",
        "notify_email",
        "notify_webhook",
        "webhook_url",
        "remind_every_minutes",
        "channel_ids",
        "enabled",
    )

    name = Text(max_length=255, required=False)
    rule_type = Choice(choices=AlertRule.Type.choices)
    target_model_id = Id(required=False, allow_null=True)
    target_model_name = Text(max_length=255, required=False, allow_null=True)
    threshold_config = Document(required=False, allow_null=True)

    def validate_rule_type(self, kind: str) -> str:
        if kind == AlertRule.Type.BENCHMARK_REGRESSION:
            raise serializers.ValidationError("Only rules about checks can be replayed.")
        return kind

    def validate_target_model_id(self, value: UUID | None) -> LLM | None:
        return existing_llm(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_target(attrs)
        return attrs


class EpisodeOutput(serializers.Serializer[Any]):
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(help_text="What the alert would have said.")


class ReplayedScope(serializers.Serializer[Any]):
    scope = serializers.CharField()
    model_id = serializers.UUIDField(allow_null=True)
    model_name = serializers.CharField()
    checks = serializers.IntegerField()
    episodes = EpisodeOutput(many=True)


class ReplayOutput(serializers.Serializer[Any]):
    days = serializers.IntegerField()
    episodes_total = serializers.IntegerField()
    models_total = serializers.IntegerField()
    models_replayed = serializers.IntegerField(
        help_text="Fewer than models_total when the time for one request was over."
    )
    items = ReplayedScope(many=True)
