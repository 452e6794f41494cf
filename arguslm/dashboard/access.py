"""Who sees the operator pages, and what a page of ours may load."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_safe

from arguslm.api.access import is_open_to

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

# Scripts and styles come from our static files alone, so injected text can never run.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)


def may_enter(request: HttpRequest) -> bool:
    if request.user.is_authenticated and request.user.is_staff:
        return True
    names = {name.lower() for name in request.headers}
    return is_open_to(request.META.get("REMOTE_ADDR"), names)


def guard_content(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def operator_page(view: View[P]) -> View[P]:
    """A page, or data of one, for whom the API is open too; others are asked to sign in."""
    fresh = cache_control(private=True, no_cache=True)(view)
    # No page holds a secret beside text that a stranger chose, so compressing gives none away.
    safe = require_safe(gzip_page(conditional_page(fresh)))

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not may_enter(request):
            return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
        if request.user.is_authenticated:
            # The API asks a signed-in browser for the token of this cookie.
            get_token(request)
        response: HttpResponse = safe(request, *args, **kwargs)
        return guard_content(response)

    return guarded
