from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse

from arguslm.dashboard import runs
from arguslm.dashboard.access import operator_page
from arguslm.dashboard.views.frame import not_found, page, searched
from benchmarks.models import BenchmarkRun
from benchmarks.objectives import PRESETS
from models_app.models import LLM
from models_app.packs import all_packs
from models_app.prompts import PROMPT_PACKS
from monitoring.models import MonitoringConfig


def shown(request: HttpRequest, name: str, tab: str, context: dict[str, Any]) -> HttpResponse:
    return page(request, f"benchmarks/{name}", "benchmarks", {"tab": tab, **context})


def choices() -> dict[str, Any]:
    """What the forms of runs and schedules offer."""
    has_model = LLM.objects.filter(enabled_for_benchmark=True, account__enabled=True).exists()
    return {"has_model": has_model, "presets": list(PRESETS)}


@operator_page
def benchmarks(request: HttpRequest) -> HttpResponse:
    search = searched(request)
    pages = Paginator(runs.listed(search), runs.PER_PAGE)
    context = {
        "page": pages.get_page(request.GET.get("page")),
        "search": search,
        "chosen": _named(request.GET.getlist("model")),
        **choices(),
    }
    return shown(request, "list", "runs", context)


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
    found = runs.listed().filter(pk=pk).select_related("schedule").first()
    if found is None:
        return not_found(request, "benchmark")
    context = {"run": found, "rows": runs.target_rows(found), "errors": runs.recent_errors(found)}
    return shown(request, "run", "runs", context)


@operator_page
def run_points(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = BenchmarkRun.objects.filter(pk=pk).first()
    if found is None:
        return not_found(request, "benchmark")
    return JsonResponse(runs.points(found))


@operator_page
def schedules(request: HttpRequest) -> HttpResponse:
    context = {"rows": runs.schedules(), "chosen": [], **choices()}
    return shown(request, "schedules", "schedules", context)


@operator_page
def prompts(request: HttpRequest) -> HttpResponse:
    packs = [(pack, pack.id in PROMPT_PACKS) for pack in all_packs()]
    in_use = MonitoringConfig.load().prompt_pack
    return shown(request, "prompts", "prompts", {"rows": packs, "in_use": in_use})
