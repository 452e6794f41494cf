from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from arguslm.dashboard.access import operator_page
from arguslm.dashboard.overview import Asked, overview
from arguslm.dashboard.standings import SORTS, STATES
from arguslm.dashboard.views.frame import page, searched


@operator_page
def home(request: HttpRequest) -> HttpResponse:
    status, sort = request.GET.get("status", ""), request.GET.get("sort", "")
    asked = Asked(
        search=searched(request),
        status=status if status in STATES else "",
        sort=sort if sort.removeprefix("-") in SORTS else "",
    )
    context = {
        "found": overview(asked, timezone.now()),
        "asked": asked,
        "origin": request.build_absolute_uri("/"),
    }
    return page(request, "overview", "overview", context)
