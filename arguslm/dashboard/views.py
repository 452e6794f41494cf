from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from alerts.models import Alert
from arguslm.dashboard import queries, runs, series
from arguslm.dashboard.access import operator_page
from arguslm.dashboard.words import CHANNEL_KINDS, RULE_TYPES
from benchmarks.models import BenchmarkRun
from models_app.models import LLM
from models_app.packs import all_packs
from monitoring.summaries import summaries
from providers.catalog import CATALOG
from providers.models import ProviderAccount

SHOWN_ALERTS = 200
RESOLVED_ALERTS = 30
MAX_SEARCH = 200


def page(
    request: HttpRequest, name: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    shared = {"unread": Alert.objects.unread().count(), "packs": all_packs}
    return render(request, f"dashboard/{name}.html", shared | context, status=status)


def searched(request: HttpRequest) -> str:
    # SQLite refuses text with a zero byte, and no name holds one.
    return request.GET.get("q", "").replace("\0", "").strip()[:MAX_SEARCH]


def not_found(request: HttpRequest, what: str) -> HttpResponse:
    return page(request, "not_found", {"what": what}, status=404)


@operator_page
def overview(request: HttpRequest) -> HttpResponse:
    search = searched(request)
    found = queries.overview(search, timezone.now())
    context = {"found": found, "search": search, "origin": request.build_absolute_uri("/")}
    return page(request, "overview", {"section": "overview", **context})


@operator_page
def model(request: HttpRequest, pk: UUID) -> HttpResponse:
    llm = LLM.objects.select_related("account").filter(pk=pk).first()
    if llm is None:
        return not_found(request, "model")
    context = {
        "llm": llm,
        "window": _window(request),
        "windows": series.WINDOWS,
        "uptimes": summaries([llm], timezone.now())[0].windows,
        "checks": queries.recent_checks(llm),
    }
    return page(request, "model", {"section": "overview", **context})


@operator_page
def model_series(request: HttpRequest, pk: UUID) -> HttpResponse:
    llm = LLM.objects.filter(pk=pk).first()
    if llm is None:
        return not_found(request, "model")
    return JsonResponse(series.history(llm, _window(request), timezone.now()).document())


def _window(request: HttpRequest) -> str:
    asked = request.GET.get("window", "")
    return asked if asked in series.WINDOWS else series.DEFAULT_WINDOW


@operator_page
def benchmarks(request: HttpRequest) -> HttpResponse:
    pages = Paginator(runs.listed(), runs.PER_PAGE)
    context = {
        "page": pages.get_page(request.GET.get("page")),
        "chosen": _named(request.GET.getlist("model")),
        "has_model": LLM.objects.filter(enabled_for_benchmark=True).exists(),
    }
    return page(request, "benchmarks", {"section": "benchmarks", **context})


def _named(texts: list[str]) -> list[LLM]:
    """The LLMs that a link asks to have chosen already; anything else in it is ignored."""
    ids = [text for text in texts[: runs.PER_PAGE] if _is_uuid(text)]
    rows = LLM.objects.filter(pk__in=ids, enabled_for_benchmark=True) if ids else LLM.objects.none()
    return list(rows.select_related("account"))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@operator_page
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = runs.listed().filter(pk=pk).first()
    if found is None:
        return not_found(request, "benchmark")
    context = {"run": found, "rows": runs.target_rows(found), "errors": runs.recent_errors(found)}
    return page(request, "run", {"section": "benchmarks", **context})


@operator_page
def run_points(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = BenchmarkRun.objects.filter(pk=pk).first()
    if found is None:
        return not_found(request, "benchmark")
    return JsonResponse(runs.points(found))


@operator_page
def alerts(request: HttpRequest) -> HttpResponse:
    context = {
        "open_alerts": queries.open_alerts()[:SHOWN_ALERTS],
        "resolved": queries.resolved_alerts()[:RESOLVED_ALERTS],
        "rules": queries.rules(),
        "rule_types": RULE_TYPES,
        "channels": queries.channels(),
        "channel_kinds": CHANNEL_KINDS,
    }
    return page(request, "alerts", {"section": "alerts", **context})


@operator_page
def providers(request: HttpRequest) -> HttpResponse:
    context = {
        "accounts": queries.accounts(),
        "tested": [spec for spec in CATALOG.values() if spec.tested],
        "others": [spec for spec in CATALOG.values() if spec.supported and not spec.tested],
        "spec": CATALOG.get(request.GET.get("type", "")),
        "origin": request.build_absolute_uri("/"),
    }
    return page(request, "providers", {"section": "providers", **context})


@operator_page
def account(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = ProviderAccount.objects.filter(pk=pk).first()
    if found is None:
        return not_found(request, "provider account")
    search = searched(request)
    models = queries.models_of(found, search)
    context = {
        "account": found,
        "models": models[: queries.MAX_ROWS],
        "has_more": len(models) > queries.MAX_ROWS,
        "search": search,
        "spec": CATALOG.get(found.provider_type),
    }
    return page(request, "account", {"section": "providers", **context})
