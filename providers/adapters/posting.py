"""Requests that an SDK has no method of its own for; it builds and signs them all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from providers.adapters.deadline import transport_timeout
from providers.adapters.endpoint import Endpoint

if TYPE_CHECKING:
    import httpx2


async def post(
    sdk: Any, url: str, body: Mapping[str, Any], endpoint: Endpoint, headers: Mapping[str, Any]
) -> httpx2.Response:
    """The response with its body unread. ``url`` is whole, or a path below the SDK's base URL."""
    import httpx2

    options = raw_options(endpoint, headers)
    response = await sdk.post(url, cast_to=httpx2.Response, body=dict(body), options=options)
    return cast("httpx2.Response", response)


def raw_options(endpoint: Endpoint, headers: Mapping[str, Any]) -> dict[str, Any]:
    """Without this header the SDK would read the body, and without end."""
    return {
        "headers": {"X-Stainless-Raw-Response": "stream", **headers},
        "timeout": transport_timeout(endpoint),
    }
