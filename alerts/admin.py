from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alerts.models import Alert, AlertRule
from alerts.serializers.rules import threshold_errors


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

    def delete_model(self, request: HttpRequest, obj: AlertRule) -> None:
        obj.retire()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        for rule in queryset:
            rule.retire()


@admin.register(Alert)
class AlertAdmin(admin.ModelAdmin[Alert]):
    list_display = ["created_at", "message", "state", "acknowledged", "occurrences", "resolved_at"]
    list_display_links = ["message"]
    list_filter = ["acknowledged", ("resolved_at", admin.EmptyFieldListFilter), "rule_type"]
    list_select_related = ["llm", "rule"]
    search_fields = ["message", "rule_name", "scope"]
    actions = ["acknowledge"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Alert | None = None) -> bool:
        return False

    @admin.action(description="Acknowledge", permissions=["view"])
    def acknowledge(self, request: HttpRequest, alerts: QuerySet[Alert]) -> None:
        for alert in alerts:
            alert.acknowledge()
        self.message_user(request, f"{len(alerts)} alerts acknowledged.")
