from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from alerts import delivery, transports
from alerts.models import (
    Alert,
    AlertEvent,
    AlertRule,
    AlertSettings,
    Attempt,
    Channel,
    Delivery,
    Message,
    PerformanceBaseline,
    RoundEvaluation,
    Silence,
)
from alerts.serializers.rules import threshold_errors
from alerts.serializers.silences import silence_errors
from alerts.views.channels import send_test
from arguslm.api.admin import RecordAdmin, RecordInline
from arguslm.api.errors import Conflict
from providers.secrets import Undecryptable


class RuleForm(forms.ModelForm[AlertRule]):
    class Meta:
        model = AlertRule
        fields = [
            "name",
            "rule_type",
            "enabled",
            "target_llm",
            "target_model_name",
            "threshold_config",
            "notify_in_app",
            "notify_email",
            "notify_webhook",
            "remind_every_minutes",
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("rule_type", "")
        if kind == AlertRule.Type.SPECIFIC_MODEL_DOWN and not cleaned.get("target_llm"):
            self.add_error("target_llm", "This type of rule needs a model.")
        everywhere = kind == AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE
        if everywhere and not cleaned.get("target_model_name"):
            self.add_error("target_model_name", "This type of rule needs a model's name.")
        if errors := threshold_errors(kind, cleaned.get("threshold_config")):
            self.add_error("threshold_config", str(errors))
        return cleaned


@admin.register(AlertRule)
class AlertRuleAdmin(admin.ModelAdmin[AlertRule]):
    form = RuleForm
    list_display = ["name", "rule_type", "target_llm", "target_model_name", "enabled"]
    list_filter = ["enabled", "rule_type"]
    list_select_related = ["target_llm"]
    search_fields = ["name", "target_model_name"]
    autocomplete_fields = ["target_llm"]
    actions = ["enable", "disable"]

    @admin.action(description="Enable")
    def enable(self, request: HttpRequest, rules: QuerySet[AlertRule]) -> None:
        self._switch(request, rules, enabled=True)

    @admin.action(description="Disable")
    def disable(self, request: HttpRequest, rules: QuerySet[AlertRule]) -> None:
        self._switch(request, rules, enabled=False)

    def _switch(self, request: HttpRequest, rules: QuerySet[AlertRule], *, enabled: bool) -> None:
        for rule in rules:
            rule.change(enabled=enabled)
        self.message_user(request, f"{len(rules)} rules {'enabled' if enabled else 'disabled'}.")

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        changed = {name: form.cleaned_data[name] for name in form.changed_data}
        AlertRule.objects.get(pk=obj.pk).change(**changed)

    def delete_model(self, request: HttpRequest, obj: AlertRule) -> None:
        obj.retire()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        for rule in queryset:
            rule.retire()


class EventInline(RecordInline):
    model = AlertEvent
    fields = ["at", "kind", "message", "note", "quiet", "muted"]


@admin.register(Alert)
class AlertAdmin(admin.ModelAdmin[Alert]):
    list_display = ["created_at", "message", "state", "acknowledged", "occurrences", "resolved_at"]
    list_display_links = ["message"]
    list_filter = ["acknowledged", ("resolved_at", admin.EmptyFieldListFilter), "rule_type"]
    list_select_related = ["llm", "rule"]
    search_fields = ["message", "rule_name", "scope"]
    actions = ["acknowledge"]
    inlines = [EventInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Alert | None = None) -> bool:
        return False

    @admin.action(description="Acknowledge", permissions=["view"])
    def acknowledge(self, request: HttpRequest, alerts: QuerySet[Alert]) -> None:
        rows = Alert.objects.filter(pk__in=alerts.values("pk"))
        self.message_user(request, f"{rows.acknowledge()} alerts acknowledged.")


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin[Channel]):
    """Channels are made over the API, where their secrets go in; here they are switched."""

    list_display = ["name", "kind", "enabled", "disabled_reason", "all_rules", "own_rule"]
    list_filter = ["kind", "enabled"]
    list_select_related = ["own_rule"]
    search_fields = ["name"]
    fields = ["name", "kind", "config", "enabled", "disabled_reason", "all_rules", "rules"]
    readonly_fields = ["kind", "config", "enabled", "disabled_reason"]
    filter_horizontal = ["rules"]
    actions = ["send_a_test", "switch_on", "switch_off"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description="configuration, secrets masked")
    def config(self, channel: Channel) -> str:
        try:
            return str(transports.public_config(channel.kind, channel.config))
        except Undecryptable as exc:
            return str(exc)

    @admin.action(description="Send a test", permissions=["change"])
    def send_a_test(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        for channel in channels:
            result = send_test(channel)
            level = messages.SUCCESS if result["ok"] else messages.ERROR
            self.message_user(request, f"{channel.name}: {result['error'] or 'taken'}", level)

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        for channel in channels:
            channel.switch_on()
        self.message_user(request, f"{len(channels)} channels switched on.")

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        number = channels.filter(enabled=True).update(enabled=False)
        self.message_user(request, f"{number} channels switched off.")

    def delete_model(self, request: HttpRequest, obj: Channel) -> None:
        obj.retire()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        for channel in queryset:
            channel.retire()


class AttemptInline(RecordInline):
    model = Attempt
    fields = ["at", "ok", "status_code", "duration_ms", "error"]


@admin.register(Delivery)
class DeliveryAdmin(RecordAdmin):
    list_display = [
        "created_at",
        "channel_name",
        "message",
        "status",
        "attempts_made",
        "last_error",
    ]
    list_filter = ["status", "channel_kind"]
    list_select_related = ["message"]
    search_fields = ["channel_name", "id"]
    inlines = [AttemptInline]
    actions = ["redeliver"]

    @admin.action(description="Send once more", permissions=["view"])
    def redeliver(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> None:
        number = 0
        for row in deliveries.select_related("channel"):
            try:
                row.redeliver()
            except Conflict as exc:
                self.message_user(request, f"{row.channel_name}: {exc.detail}", messages.ERROR)
            else:
                number += 1
        delivery.call_out_after_commit()
        self.message_user(request, f"{number} deliveries are sent once more.")


class SilenceForm(forms.ModelForm[Silence]):
    class Meta:
        model = Silence
        fields = [
            "name",
            "account",
            "llm",
            "rule",
            "starts_at",
            "ends_at",
            "weekdays",
            "start_time",
            "duration_minutes",
            "timezone",
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, text in silence_errors(cleaned).items():
            self.add_error(name, text)
        if cleaned.get("timezone") not in available_timezones():
            self.add_error("timezone", "Must be a name like UTC or Europe/Berlin.")
        return cleaned


@admin.register(Silence)
class SilenceAdmin(admin.ModelAdmin[Silence]):
    form = SilenceForm
    list_display = ["name", "account", "llm", "rule", "starts_at", "ends_at", "weekdays"]
    list_select_related = ["account", "llm", "rule"]
    search_fields = ["name"]
    autocomplete_fields = ["llm", "rule"]


@admin.register(PerformanceBaseline)
class PerformanceBaselineAdmin(RecordAdmin):
    list_display = ["llm", "prompt_pack", "metric", "days", "median", "spread", "n", "computed_at"]
    list_select_related = ["llm"]
    list_filter = ["metric"]
    search_fields = ["llm__upstream_id"]


@admin.register(AlertSettings)
class AlertSettingsAdmin(RecordAdmin):
    list_display = ["__str__", "heartbeat_every_s", "heartbeat_ok_at", "heartbeat_error"]
    fields = ["heartbeat_every_s", "heartbeat_tried_at", "heartbeat_ok_at", "heartbeat_error"]


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    list_display = ["created_at", "topic", "text"]
    list_display_links = ["text"]
    list_filter = ["topic"]
    search_fields = ["text", "scope"]
    exclude = ["events"]


@admin.register(RoundEvaluation)
class RoundEvaluationAdmin(RecordAdmin):
    list_display = ["round", "is_final", "checks_seen", "downs_seen", "withheld", "created_at"]
    list_filter = ["is_final"]
    list_select_related = ["round"]
    search_fields = ["=round__id"]
