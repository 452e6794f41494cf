from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from arguslm.api.admin import RecordAdmin
from models_app.connection import Verdict, verdict_on
from models_app.discovery import Refreshed, refresh
from models_app.models import LLM, Calibration, OwnPromptPack
from providers.admin import ProviderAccountAdmin
from providers.models import ProviderAccount

MOST_AT_ONCE = 5


@admin.action(description="Test the connection (at most five at once)")
def test_accounts(
    site: ProviderAccountAdmin, request: HttpRequest, accounts: QuerySet[ProviderAccount]
) -> None:
    _ask_each(site, request, accounts, verdict_on)


@admin.action(description="Refresh the models (at most five at once)")
def refresh_accounts(
    site: ProviderAccountAdmin, request: HttpRequest, accounts: QuerySet[ProviderAccount]
) -> None:
    _ask_each(site, request, accounts, refresh)


def _ask_each(
    site: ProviderAccountAdmin,
    request: HttpRequest,
    accounts: QuerySet[ProviderAccount],
    ask: Callable[[ProviderAccount], Verdict | Refreshed],
) -> None:
    """One after the other, each with a message; a provider may take half a minute to answer."""
    for account in accounts[:MOST_AT_ONCE]:
        verdict = ask(account)
        level = messages.SUCCESS if verdict.success else messages.ERROR
        site.message_user(request, f"{account}: {verdict.message}", level)
    left_out = accounts[MOST_AT_ONCE:]
    if left_out:
        names = ", ".join(map(str, left_out))
        site.message_user(request, f"Not asked, too many at once: {names}.", messages.WARNING)


# The account's page is made below us; what needs models and the probe is added from here.
ProviderAccountAdmin.actions = [test_accounts, refresh_accounts]  # type: ignore[misc]


@admin.register(LLM)
class LLMAdmin(admin.ModelAdmin[LLM]):
    list_display = [
        "name",
        "upstream_id",
        "account",
        "enabled_for_monitoring",
        "enabled_for_benchmark",
        "source",
    ]
    list_display_links = ["name"]
    list_filter = ["enabled_for_monitoring", "enabled_for_benchmark", "source", "account"]
    list_select_related = ["account"]
    search_fields = ["upstream_id", "custom_name", "account__display_name"]
    autocomplete_fields = ["account"]
    readonly_fields = ["id", "source", "created_at", "updated_at"]
    actions = ["monitor", "stop_monitoring", "offer_for_benchmarks", "keep_from_benchmarks"]

    @admin.action(description="Switch monitoring on")
    def monitor(self, request: HttpRequest, llms: QuerySet[LLM]) -> None:
        self._set(request, llms, "Monitoring is on", enabled_for_monitoring=True)

    @admin.action(description="Switch monitoring off")
    def stop_monitoring(self, request: HttpRequest, llms: QuerySet[LLM]) -> None:
        self._set(request, llms, "Monitoring is off", enabled_for_monitoring=False)

    @admin.action(description="Offer for benchmarks")
    def offer_for_benchmarks(self, request: HttpRequest, llms: QuerySet[LLM]) -> None:
        self._set(request, llms, "Benchmarks are on", enabled_for_benchmark=True)

    @admin.action(description="Keep out of benchmarks")
    def keep_from_benchmarks(self, request: HttpRequest, llms: QuerySet[LLM]) -> None:
        self._set(request, llms, "Benchmarks are off", enabled_for_benchmark=False)

    def _set(self, request: HttpRequest, llms: QuerySet[LLM], said: str, **flags: bool) -> None:
        count = llms.update(updated_at=timezone.now(), **flags)
        self.message_user(request, f"{said} for {count} model{'' if count == 1 else 's'}.")


@admin.register(OwnPromptPack)
class OwnPromptPackAdmin(admin.ModelAdmin[OwnPromptPack]):
    list_display = ["id", "name", "expected_tokens", "updated_at"]
    search_fields = ["id", "name", "prompt"]
    fields = ["id", "name", "prompt", "expected_tokens", "created_at", "updated_at"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: OwnPromptPack | None = None
    ) -> tuple[str, ...]:
        # Another id would be another pack: rows of the past name this one.
        stamps = ("created_at", "updated_at")
        return stamps if obj is None else ("id", *stamps)


@admin.register(Calibration)
class CalibrationAdmin(RecordAdmin):
    list_display = ["created_at", "quick", "bias_ms", "spread_ms", "p99_ms", "is_noisy"]
    list_filter = ["quick"]
    search_fields = ["created_at"]

    @admin.display(description="noisy", boolean=True)
    def is_noisy(self, calibration: Calibration) -> bool:
        return calibration.noisy
