from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from rest_framework import serializers

from alerts import transports
from alerts.models import AlertRule, AlertSettings, Channel
from alerts.webhook_addresses import masked, webhook_fault
from arguslm.api.fields import Choice, Document, Flag, Id, Text, Whole
from arguslm.api.serializers import Input
from providers.secrets import Undecryptable

MOST_RULES = 1000
LONGEST_SILENCE_MINUTES = 7 * 24 * 60


class ChannelOutput(serializers.ModelSerializer[Channel]):
    config = serializers.SerializerMethodField(help_text="Secrets are masked.")
    rule_ids = serializers.SerializerMethodField()
    rule_id = serializers.UUIDField(
        source="own_rule_id",
        read_only=True,
        allow_null=True,
        help_text="The rule whose webhook_url it is.",
    )

    class Meta:
        model = Channel
        fields = [
            "id",
            "kind",
            "name",
            "enabled",
            "disabled_reason",
            "config",
            "all_rules",
            "rule_ids",
            "rule_id",
            "created_at",
            "updated_at",
        ]

    def get_config(self, channel: Channel) -> dict[str, Any]:
        try:
            return transports.public_config(channel.kind, channel.config)
        except Undecryptable:
            return {}

    def get_rule_ids(self, channel: Channel) -> list[UUID]:
        return sorted(rule.pk for rule in channel.rules.all())


class ChannelList(serializers.Serializer[Any]):
    items = ChannelOutput(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class ChannelMade(ChannelOutput):
    signing_secret = serializers.SerializerMethodField(
        help_text="Of a webhook: shown this once, then never again."
    )

    class Meta(ChannelOutput.Meta):
        fields = [*ChannelOutput.Meta.fields, "signing_secret"]

    def get_signing_secret(self, channel: Channel) -> str | None:
        found: str | None = self.context.get("signing_secret")
        return found


class _ChannelFields(Input):
    read_only_names: tuple[str, ...] = (
        "id",
        "disabled_reason",
        "rule_id",
        "created_at",
        "updated_at",
    )

    def validate_rule_ids(self, value: list[UUID]) -> list[AlertRule]:
        found = AlertRule.objects.in_bulk(value)
        if missing := [str(pk) for pk in value if pk not in found]:
            raise serializers.ValidationError(f"There is no rule {missing[0]}.")
        return list(found.values())


def _rule_ids(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=Id(), max_length=MOST_RULES, **kwargs)


class ChannelInput(_ChannelFields):
    kind = Choice(choices=Channel.Kind.choices)
    name = Text(max_length=255)
    config = Document()
    enabled = Flag(default=True)
    all_rules = Flag(default=True)
    rule_ids = _rule_ids(required=False)
    fresh_secret: str | None = None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_config(attrs["kind"], attrs["config"])
        return attrs

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> Channel:
        rules = validated_data.pop("rule_ids", [])
        channel = Channel()
        channel.seal(validated_data.pop("config"))
        for name, value in validated_data.items():
            setattr(channel, name, value)
        if channel.kind == Channel.Kind.WEBHOOK:
            self.fresh_secret = channel.make_secret(timezone.now())
        channel.save()
        channel.rules.set(rules)
        return channel


def check_config(kind: str, config: Mapping[str, Any]) -> None:
    if errors := transports.config_errors(kind, config):
        raise serializers.ValidationError({"config": {k: [text] for k, text in errors.items()}})


class ChannelPatch(_ChannelFields):
    read_only_names = (*_ChannelFields.read_only_names, "kind")

    name = Text(max_length=255, required=False)
    config = Document(required=False)
    enabled = Flag(required=False)
    all_rules = Flag(required=False)
    rule_ids = _rule_ids(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        assert isinstance(self.instance, Channel)
        if self.instance.own_rule_id and (attrs.get("all_rules") or attrs.get("rule_ids")):
            sentence = "This channel is the webhook_url of one rule."
            raise serializers.ValidationError({"all_rules": [sentence]})
        if "config" in attrs:
            attrs["config"] = self._merged(self.instance, attrs["config"])
        return attrs

    def _merged(self, channel: Channel, given: Mapping[str, Any]) -> dict[str, Any]:
        """Given fields replace, null removes, a masked value that was read stays what it is."""
        stored = _stored(channel)
        shown = transports.public_config(channel.kind, stored) if stored else {}
        changes = {k: v for k, v in given.items() if not (k in shown and v == shown[k])}
        merged = {k: v for k, v in {**stored, **changes}.items() if v is not None}
        check_config(channel.kind, merged)
        moved = changes.get("host", stored.get("host")) != stored.get("host")
        if moved and stored.get("password") and "password" not in changes:
            sentence = "Another server is not sent the old password: give it again, or null."
            raise serializers.ValidationError({"config": {"password": [sentence]}})
        return merged

    @transaction.atomic
    def update(self, instance: Channel, validated_data: dict[str, Any]) -> Channel:
        if "rule_ids" in validated_data:
            instance.rules.set(validated_data.pop("rule_ids"))
        sealed = ["config_encrypted"] if "config" in validated_data else []
        if sealed:
            instance.seal(validated_data.pop("config"))
        enabled = validated_data.pop("enabled", instance.enabled)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Not all: a courier may switch it off meanwhile, and a secret may be rotated.
        instance.save(update_fields=[*validated_data, *sealed, "updated_at"])
        if enabled and not instance.enabled:
            instance.switch_on()
        elif instance.enabled and not enabled:
            instance.enabled = False
            instance.save(update_fields=["enabled", "updated_at"])
        return instance


def _stored(channel: Channel) -> dict[str, Any]:
    try:
        return channel.config
    except Undecryptable:
        return {}


class TestResult(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    status_code = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.FloatField()
    error = serializers.CharField(allow_null=True)


class NewSecret(serializers.Serializer[Any]):
    signing_secret = serializers.CharField(help_text="Shown this once.")
    old_secret_valid_until = serializers.DateTimeField()


class SettingsOutput(serializers.Serializer[Any]):
    heartbeat_url = serializers.SerializerMethodField(help_text="Masked.")
    heartbeat_every_s = serializers.IntegerField()
    heartbeat_tried_at = serializers.DateTimeField(allow_null=True)
    heartbeat_ok_at = serializers.DateTimeField(allow_null=True)
    heartbeat_error = serializers.CharField()

    def get_heartbeat_url(self, row: AlertSettings) -> str | None:
        try:
            return masked(row.heartbeat_url) if row.heartbeat_url else None
        except Undecryptable:
            return None


class SettingsPatch(Input):
    read_only_names = ("heartbeat_tried_at", "heartbeat_ok_at", "heartbeat_error")

    heartbeat_url = Text(max_length=2048, required=False, allow_null=True)
    heartbeat_every_s = Whole(required=False, min_value=10, max_value=86_400)

    def validate_heartbeat_url(self, value: str | None) -> str | None:
        assert isinstance(self.instance, AlertSettings)
        if value is None or value == SettingsOutput(self.instance).data["heartbeat_url"]:
            return value
        if fault := webhook_fault(value):
            raise serializers.ValidationError(fault)
        return value

    def update(self, instance: AlertSettings, validated_data: dict[str, Any]) -> AlertSettings:
        shown = SettingsOutput(instance).data["heartbeat_url"]
        url = validated_data.get("heartbeat_url", shown)
        if url != shown:
            instance.seal_heartbeat(url)
            instance.heartbeat_tried_at = instance.heartbeat_ok_at = None
            instance.heartbeat_error = ""
        instance.heartbeat_every_s = validated_data.get(
            "heartbeat_every_s", instance.heartbeat_every_s
        )
        instance.save()
        return instance
