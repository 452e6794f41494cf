from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_proxy(**kwargs: Any) -> list[CheckMessage]:
    url: str = settings.PROVIDER_PROXY_URL
    if not url or _is_proxy(url):
        return []
    hint = "Name an HTTP proxy like http://user:password@proxy.example.org:3128, or leave it empty."
    return [Error("PROVIDER_PROXY_URL is no address of a proxy.", hint=hint, id="providers.E001")]


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
