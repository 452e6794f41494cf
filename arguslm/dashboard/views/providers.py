from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from arguslm.dashboard import accounts
from arguslm.dashboard.access import operator_page
from arguslm.dashboard.standings import standings
from arguslm.dashboard.views.frame import not_found, page, searched
from monitoring.models import MonitoringConfig
from providers.catalog import CATALOG


@operator_page
def providers(request: HttpRequest) -> HttpResponse:
    everybody = standings(MonitoringConfig.load(), timezone.now())
    down = Counter(one.account.pk for one in everybody if one.status == "down")
    rows = [(account, down[account.pk]) for account in accounts.listed()]
    context = {
        "rows": rows,
        "tested": [spec for spec in CATALOG.values() if spec.tested],
        "others": [spec for spec in CATALOG.values() if spec.supported and not spec.tested],
        "spec": CATALOG.get(request.GET.get("type", "")),
        "origin": request.build_absolute_uri("/"),
    }
    return page(request, "providers", "providers", context)


@operator_page
def account(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = accounts.listed().filter(pk=pk).first()
    if found is None:
        return not_found(request, "provider account")
    search = searched(request)
    models = accounts.models_of(found, search)
    context = {
        "account": found,
        "models": models[: accounts.MAX_ROWS],
        "has_more": len(models) > accounts.MAX_ROWS,
        "search": search,
        "spec": CATALOG.get(found.provider_type),
    }
    return page(request, "account", "providers", context)
