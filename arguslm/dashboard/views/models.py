from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from arguslm.dashboard import details, series
from arguslm.dashboard.access import operator_page
from arguslm.dashboard.views.frame import not_found, page
from models_app.models import LLM


@operator_page
def model(request: HttpRequest, pk: UUID) -> HttpResponse:
    llm = LLM.objects.select_related("account").filter(pk=pk).first()
    if llm is None:
        return not_found(request, "model")
    context = {
        "found": details.of_model(llm, timezone.now()),
        "window": _window(request),
        "windows": series.WINDOWS,
    }
    return page(request, "model", "overview", context)


@operator_page
def model_series(request: HttpRequest, pk: UUID) -> HttpResponse:
    llm = LLM.objects.filter(pk=pk).first()
    if llm is None:
        return not_found(request, "model")
    return JsonResponse(series.history(llm, _window(request), timezone.now()).document())


def _window(request: HttpRequest) -> str:
    asked = request.GET.get("window", "")
    return asked if asked in series.WINDOWS else series.DEFAULT_WINDOW
