"""The OpenAI wire through its SDK: it builds and signs, nothing more while the clock runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from providers.adapters.deadline import transport_timeout
from providers.adapters.endpoint import ChatRequest, Endpoint
from providers.adapters.openai_events import OpenAIDecoder
from providers.adapters.refusals import Dialect

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

decoder = OpenAIDecoder
END_MARKS: tuple[bytes, ...] = (b"[DONE]",)


def connect(endpoint: Endpoint, http: httpx2.AsyncClient) -> AsyncOpenAI:
    from openai import AsyncOpenAI, omit

    # Without these the SDK would send what the environment says to every provider.
    headers: dict[str, Any] = {"OpenAI-Organization": omit, "OpenAI-Project": omit}
    headers |= endpoint.headers
    sdk = AsyncOpenAI(
        api_key=endpoint.api_key or "",
        admin_api_key="",
        organization="",
        project="",
        webhook_secret="",
        base_url=endpoint.base_url,
        default_headers=headers,
        default_query=dict(endpoint.query),
        max_retries=0,
        http_client=http,
        _enforce_credentials=False,
    )
    # The constructor adds OPENAI_CUSTOM_HEADERS of the environment to whatever it is given.
    sdk._custom_headers = headers
    return sdk


def request_headers(endpoint: Endpoint) -> dict[str, Any]:
    """What every request must say anew: the SDK sends nothing unsigned unless told so each time."""
    from openai import omit

    signs_itself = any(name.lower() == "authorization" for name in endpoint.headers)
    return {} if endpoint.api_key or signs_itself else {"Authorization": omit}


async def ask(
    sdk: AsyncOpenAI, endpoint: Endpoint, request: ChatRequest, dialect: Dialect
) -> httpx2.Response:
    """Opens the stream and returns the response with its body unread."""
    if "{model}" in endpoint.base_url:
        url = endpoint.base_url.replace("{model}", quote(request.model, safe=""))
        headers = sdk._custom_headers
        sdk = sdk.with_options(base_url=url)
        sdk._custom_headers = headers
    create = cast("Any", sdk.chat.completions.with_raw_response.create)
    raw = await create(
        **_body(request, dialect),
        extra_headers=request_headers(endpoint),
        timeout=transport_timeout(endpoint),
    )
    return cast("httpx2.Response", raw.http_response)


def _body(request: ChatRequest, dialect: Dialect) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": "user", "content": request.text}],
        "stream": True,
        dialect.token_param: request.max_tokens,
    }
    if request.temperature is not None and dialect.temperature:
        body["temperature"] = request.temperature
    if dialect.stream_options:
        body["stream_options"] = {"include_usage": True}
    return body
