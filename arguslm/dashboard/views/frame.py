"""What every page shares."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from alerts.models import Alert
from arguslm.api import errors
from arguslm.dashboard.access import guard_content, may_enter
from models_app.calibration import latest
from models_app.packs import all_packs

MAX_SEARCH = 200


def page(
    request: HttpRequest, name: str, section: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    unread = Alert.objects.unread()
    shared = {
        "section": section,
        "unread": unread.count(),
        "has_open": unread.open().exists(),
        "packs": all_packs,
        "calibration": latest,
    }
    return render(request, f"dashboard/{name}.html", shared | context, status=status)


def searched(request: HttpRequest, name: str = "q") -> str:
    # SQLite refuses text with a zero byte, and no name holds one.
    return request.GET.get(name, "").replace("\0", "").strip()[:MAX_SEARCH]


def not_found(request: HttpRequest, what: str) -> HttpResponse:
    return page(request, "not_found", "", {"what": what}, status=404)


def wants_page(request: HttpRequest) -> bool:
    is_api = request.path.startswith("/api/")
    return (
        not is_api
        and request.accepts("text/html")
        and "text/html" in request.headers.get("Accept", "")
    )


def unknown_address(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404 for the whole server: a page for people, JSON for programs."""
    if not wants_page(request):
        return errors.not_found(request, exception)
    if not may_enter(request):
        return guard_content(render(request, "dashboard/bare.html", BARE_404, status=404))
    return guard_content(not_found(request, "page"))


def broken(request: HttpRequest) -> HttpResponse:
    """500 for the whole server. It reads nothing: the database may be what is broken."""
    if not wants_page(request):
        return errors.server_error(request)
    return guard_content(render(request, "dashboard/bare.html", BARE_500, status=500))


BARE_404 = {"title": "Not found", "text": "There is nothing at this address."}
BARE_500 = {
    "title": "ArgusLM failed on this page",
    "text": "The log of the server has the reason. Reload the page to try again.",
}
