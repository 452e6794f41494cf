from __future__ import annotations

from itertools import chain
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from rest_framework.exceptions import ValidationError

from arguslm.api.admin import RecordAdmin, RecordInline
from arguslm.api.errors import flatten
from benchmarks.inputs import ScheduleInput
from benchmarks.models import (
    BenchmarkResult,
    BenchmarkRun,
    BenchmarkRunQuerySet,
    BenchmarkSchedule,
    BenchmarkTarget,
    RunDocument,
    RunEnded,
    ScheduleTarget,
)


class TargetInline(RecordInline):
    model = BenchmarkTarget
    fields = ["position", "llm"]
    verbose_name_plural = "LLMs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[BenchmarkTarget]:
        return super().get_queryset(request).select_related("llm")


@admin.register(BenchmarkRun)
class BenchmarkRunAdmin(RecordAdmin):
    list_display = [
        "name",
        "status",
        "progress",
        "prompt_pack",
        "triggered_by",
        "created_at",
        "completed_at",
    ]
    list_filter = ["status", "prompt_pack", "triggered_by", "created_at"]
    search_fields = ["name", "failure_reason", "llms__upstream_id", "llms__custom_name"]
    date_hierarchy = "created_at"
    inlines = [TargetInline]
    readonly_fields = [
        "id",
        "name",
        "status",
        "failure_reason",
        "progress",
        "results_link",
        "report_link",
        *BenchmarkRun.SETTINGS,
        "seed",
        "triggered_by",
        "schedule",
        "verdicts",
        "facts",
        "created_at",
        "started_at",
        "completed_at",
        "crashes",
        "lease_expires_at",
    ]
    fields = [*readonly_fields]
    actions = ["cancel_runs"]

    def get_queryset(self, request: HttpRequest) -> BenchmarkRunQuerySet:
        return BenchmarkRun.objects.described().order_by("-created_at", "-id")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_running = obj is not None and obj.status == BenchmarkRun.Status.RUNNING
        may_delete = request.user.has_perm("benchmarks.delete_benchmarkrun")
        return not is_running and may_delete

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("benchmarks.change_benchmarkrun")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # The bulk deletion would also take runs that a worker is busy with.
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.display(description="Requests")
    def progress(self, run: Any) -> str:
        return f"{run.result_count} of {run.total}"

    @admin.display(description="Results")
    def results_link(self, run: BenchmarkRun) -> str:
        address = reverse("admin:benchmarks_benchmarkresult_changelist")
        return format_html('<a href="{}?run__id__exact={}">Show them</a>', address, run.pk)

    @admin.display(description="Report")
    def report_link(self, run: BenchmarkRun) -> str:
        return format_html('<a href="/api/v1/benchmarks/{}/report">Open it</a>', run.pk)

    @admin.action(description="Cancel the selected runs", permissions=["cancel"])
    def cancel_runs(self, request: HttpRequest, runs: QuerySet[BenchmarkRun]) -> None:
        ended = 0
        for run in runs:
            try:
                run.cancel()
            except RunEnded:
                ended += 1
        if cancelled := len(runs) - ended:
            self.message_user(request, f"Cancelled: {cancelled}.", messages.SUCCESS)
        if ended:
            self.message_user(request, f"Had ended already: {ended}.", messages.WARNING)


@admin.register(BenchmarkResult)
class BenchmarkResultAdmin(RecordAdmin):
    list_display = [
        "run",
        "ordinal",
        "llm",
        "iteration",
        "ttft_ms",
        "tps",
        "total_latency_ms",
        "output_tokens",
        "error_class",
        "created_at",
    ]
    list_select_related = ["run", "llm"]
    list_filter = ["error_class", "token_source", "created_at"]
    search_fields = ["run__name", "llm__upstream_id", "llm__custom_name", "error"]
    ordering = ["-created_at", "-ordinal"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "run__id__exact" or super().lookup_allowed(lookup, value, request)


class ScheduleForm(forms.ModelForm[BenchmarkSchedule]):
    """Takes what the API takes."""

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        given["slo"] = given.get("slo") or {}
        rules = ScheduleInput().fields
        for name in {*BenchmarkSchedule.SETTINGS} & {*given}:
            try:
                rules[name].run_validation(given[name])
            except ValidationError as exc:
                self.add_error(name, list(chain(*flatten(exc.detail).values())))
        return given


class ScheduleTargetInline(admin.TabularInline[ScheduleTarget, BenchmarkSchedule]):
    model = ScheduleTarget
    fields = ["position", "llm"]
    autocomplete_fields = ["llm"]
    extra = 1
    verbose_name_plural = "LLMs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduleTarget]:
        return super().get_queryset(request).select_related("llm")


@admin.register(BenchmarkSchedule)
class BenchmarkScheduleAdmin(admin.ModelAdmin[BenchmarkSchedule]):
    form = ScheduleForm
    list_display = ["name", "enabled", "cron", "every_hours", "prompt_pack", "next_due_at"]
    list_filter = ["enabled", "prompt_pack"]
    search_fields = ["name", "llms__upstream_id", "llms__custom_name"]
    readonly_fields = ["id", "next_due_at", "last_note", "baseline_from", "created_at"]
    fields = [
        "name",
        "enabled",
        "cron",
        "every_hours",
        "baseline_runs",
        "alarm_after_runs",
        *BenchmarkSchedule.SETTINGS,
        *readonly_fields,
    ]
    inlines = [ScheduleTargetInline]
    actions = ["enable", "disable", "rebase"]

    def save_model(
        self, request: HttpRequest, obj: BenchmarkSchedule, form: Any, change: bool
    ) -> None:
        if not change or {"cron", "every_hours", "enabled"} & set(form.changed_data):
            obj.next_due_at = obj.first_slot(timezone.now())
        super().save_model(request, obj, form, change)

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, schedules: QuerySet[BenchmarkSchedule]) -> None:
        self._switch(request, schedules, enabled=True)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, schedules: QuerySet[BenchmarkSchedule]) -> None:
        self._switch(request, schedules, enabled=False)

    @admin.action(description="Take the present level as the usual one", permissions=["change"])
    def rebase(self, request: HttpRequest, schedules: QuerySet[BenchmarkSchedule]) -> None:
        for schedule in schedules:
            schedule.rebase()
        self.message_user(request, f"Rebased: {len(schedules)}.", messages.SUCCESS)

    def _switch(
        self, request: HttpRequest, schedules: QuerySet[BenchmarkSchedule], *, enabled: bool
    ) -> None:
        for schedule in schedules:
            schedule.change(None, enabled=enabled)
        self.message_user(request, f"Changed: {len(schedules)}.", messages.SUCCESS)


@admin.register(RunDocument)
class RunDocumentAdmin(RecordAdmin):
    list_display = ["run", "created_at"]
    list_select_related = ["run"]
    search_fields = ["run__name"]
    exclude = ["results", "statistics"]
