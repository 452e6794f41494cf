from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import cached_property

from arguslm.api.admin import RecordAdmin, RecordInline
from arguslm.api.work import nudge
from models_app.models import LLM
from models_app.packs import all_packs
from monitoring import rounds
from monitoring.budget import BudgetExhausted
from monitoring.models import (
    Cadence,
    CheckRollup,
    CheckTotal,
    MonitoringConfig,
    Recount,
    ReportedModel,
    Round,
    RoundShare,
    Spending,
    UptimeCheck,
)
from monitoring.tasks import tick
from providers.errors import ErrorClass

MOST_FOUND = 100


class ConfigForm(forms.ModelForm[MonitoringConfig]):
    prompt_pack = forms.ChoiceField(choices=lambda: [(pack.id, pack.name) for pack in all_packs()])

    class Meta:
        model = MonitoringConfig
        fields = [
            "enabled",
            "interval_minutes",
            "prompt_pack",
            "max_tokens",
            "global_concurrency",
            "provider_concurrency",
            "llm_concurrency",
            "jitter_s",
            "confirmation_pauses_s",
            "canaries",
            "monthly_cap_usd",
            "raw_days",
            "hourly_days",
            "daily_days",
        ]

    def clean_confirmation_pauses_s(self) -> list[float]:
        return self.cleaned_data["confirmation_pauses_s"] or []

    def clean_canaries(self) -> dict[str, str]:
        return self.cleaned_data["canaries"] or {}


@admin.register(MonitoringConfig)
class MonitoringConfigAdmin(admin.ModelAdmin[MonitoringConfig]):
    """One row: its list is its page."""

    form = ConfigForm
    readonly_fields = ["last_run_at", "next_due_at", "budget_paused_at", "updated_at"]
    change_form_template = "admin/monitoring/config_form.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("admin:monitoring_monitoringconfig_change", MonitoringConfig.load().pk)

    def save_model(
        self, request: HttpRequest, obj: MonitoringConfig, form: Any, change: bool
    ) -> None:
        obj.change(timezone.now(), **{name: form.cleaned_data[name] for name in form.changed_data})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: MonitoringConfig | None = None
    ) -> bool:
        return False


@admin.action(description="Cancel the rounds that are still open")
def cancel_rounds(site: RoundAdmin, request: HttpRequest, found: QuerySet[Round]) -> None:
    count = sum(rounds.cancel(round, timezone.now()) for round in found)
    site.message_user(request, f"{count} round{'' if count == 1 else 's'} cancelled.")


class ShareInline(RecordInline):
    model = RoundShare
    fields = ["account", "status", "crashes", "lease_expires_at", "nudged_at"]
    readonly_fields = ["crashes", "lease_expires_at", "nudged_at"]


@admin.register(Round)
class RoundAdmin(RecordAdmin):
    list_display = [
        "created_at",
        "trigger",
        "status",
        "prompt_pack",
        "interval_minutes",
        "planned",
        "overlapping",
        "skipped_slots",
        "self_offline",
        "finished_at",
    ]
    list_filter = ["status", "trigger", "self_offline", "prompt_pack"]
    search_fields = ["=id"]
    inlines = [ShareInline]
    actions = [cancel_rounds]
    change_list_template = "admin/monitoring/round_list.html"

    def get_urls(self) -> list[URLPattern]:
        run_now = self.admin_site.admin_view(self.run_now)
        return [path("run-now", run_now, name="monitoring_round_run_now"), *super().get_urls()]

    def run_now(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            opened, is_new = rounds.open_manual(timezone.now())
        except BudgetExhausted:
            sentence = "The monthly cap leaves no money for another run."
            self.message_user(request, sentence, messages.ERROR)
            return redirect("admin:monitoring_round_changelist")
        if is_new:
            nudge(tick)
        self.message_user(request, rounds.describe(opened, is_new))
        return redirect("admin:monitoring_round_changelist")


class ErrorClassFilter(admin.SimpleListFilter):
    """The known classes: to look for those that occur would be to read every check."""

    title = "error class"
    parameter_name = "error_class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(failure.value, failure.value) for failure in ErrorClass]

    def queryset(self, request: HttpRequest, checks: QuerySet[Any]) -> QuerySet[Any]:
        return checks.filter(error_class=self.value()) if self.value() else checks


class BoundedPaginator(Paginator[Any]):
    """Counts no further than anybody turns pages."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        checks = cast("QuerySet[UptimeCheck]", self.object_list)
        return checks.order_by()[: self.MOST].count()


@admin.register(UptimeCheck)
class UptimeCheckAdmin(RecordAdmin):
    list_display = [
        "created_at",
        "llm",
        "account",
        "status",
        "error_class",
        "ttft_ms",
        "total_latency_ms",
        "tps",
        "output_tokens",
    ]
    list_filter = ["status", ErrorClassFilter, "counts_for_uptime", "llm__account"]
    list_select_related = ["llm__account"]
    paginator = BoundedPaginator
    search_fields = ["llm__upstream_id", "llm__custom_name"]
    search_help_text = f"Name of a model; the first {MOST_FOUND} that have it are shown."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Models first: a join would compare the names for each of the checks."""
        if not search_term:
            return queryset, False
        found = LLM.objects.matching(search_term).order_by("created_at", "id")
        return queryset.filter(llm__in=list(found.values_list("pk", flat=True)[:MOST_FOUND])), False

    @admin.display(description="Account", ordering="llm__account__display_name")
    def account(self, check: UptimeCheck) -> str:
        return check.llm.account.display_name


@admin.register(CheckRollup)
class CheckRollupAdmin(RecordAdmin):
    list_display = ["start", "span", "llm", "up", "degraded", "down", "cost"]
    list_filter = ["span"]
    list_select_related = ["llm"]
    search_fields = ["llm__upstream_id", "llm__custom_name"]
    exclude = ["ttft", "latency", "tps"]


@admin.register(CheckTotal)
class CheckTotalAdmin(RecordAdmin):
    list_display = ["start", "span", "up", "degraded", "down"]
    list_filter = ["span"]


@admin.register(Recount)
class RecountAdmin(RecordAdmin):
    list_display = ["asked_at"]


@admin.register(ReportedModel)
class ReportedModelAdmin(RecordAdmin):
    list_display = ["llm", "model_reported", "fingerprint", "is_current", "current_since"]
    list_filter = ["is_current"]
    list_select_related = ["llm"]
    search_fields = ["llm__upstream_id", "model_reported", "fingerprint"]


@admin.register(Cadence)
class CadenceAdmin(RecordAdmin):
    list_display = ["interval_minutes", "next_due_at"]
    search_fields = ["=interval_minutes"]


@admin.register(Spending)
class SpendingAdmin(RecordAdmin):
    list_display = ["month", "usd"]
    search_fields = ["month"]
