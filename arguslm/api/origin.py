from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def is_foreign(origin: str, host: str) -> bool:
    """Whether a browser page of another site speaks: `Origin` names neither us nor a trusted one.

    `null` (sandboxed frames, local files) is foreign. Programs send no `Origin` at all.
    """
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return False
    parts = urlsplit(origin)
    return parts.scheme not in ("http", "https") or parts.netloc.lower() != host.lower()


class ForeignOriginMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        origin = request.headers.get("Origin")
        if (
            origin is not None
            and request.method not in SAFE_METHODS
            and is_foreign(origin, request.get_host())
        ):
            detail = "Requests that change something are refused from pages of another origin."
            return JsonResponse({"detail": detail, "errors": {}}, status=403)
        return self.get_response(request)
