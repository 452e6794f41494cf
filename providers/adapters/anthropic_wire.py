"""The Anthropic wire through its SDK: it builds and signs, nothing more while the clock runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from providers.adapters.anthropic_events import AnthropicDecoder
from providers.adapters.deadline import transport_timeout
from providers.adapters.endpoint import ChatRequest, Endpoint
from providers.adapters.posting import post
from providers.adapters.refusals import Dialect
from providers.adapters.sse import Splitter, SseSplitter

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

decoder = AnthropicDecoder
# The version this module reads. The SDK's own moves with its releases, 2026-10-21 refuses
# temperature, and gateways speak this one. https://platform.claude.com/docs/en/api/versioning
API_VERSION = "2023-06-01"
_END_MARK = b'"message_stop"'


# https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
VERTEX_VERSION = "vertex-2023-10-16"


def has_ended(piece: bytes) -> bool:
    """Whether the piece ends with the last event; Anthropic pads its events with spaces."""
    tail = piece[-128:].rstrip()
    return tail.endswith(b"}") and tail[:-1].rstrip().endswith(_END_MARK)


def splitter(endpoint: Endpoint) -> Splitter:
    return SseSplitter()


def connect(endpoint: Endpoint, http: httpx2.AsyncClient) -> AsyncAnthropic:
    from anthropic import AsyncAnthropic, Omit

    # The API documents x-api-key; gateways that speak this wire rarely take a bearer token.
    headers: dict[str, Any] = {"Authorization": Omit(), "anthropic-version": API_VERSION}
    if endpoint.api_key:
        headers["X-Api-Key"] = endpoint.api_key
    headers |= endpoint.headers
    sdk = AsyncAnthropic(
        api_key=endpoint.api_key or "none",
        webhook_key="",
        base_url=endpoint.base_url.rstrip("/").removesuffix("/v1"),
        default_headers=headers,
        default_query=dict(endpoint.query),
        max_retries=0,
        open_telemetry=False,
        http_client=http,
    )
    # The constructor adds ANTHROPIC_CUSTOM_HEADERS of the environment to whatever it is given.
    sdk._custom_headers = headers
    return sdk


def request_headers(endpoint: Endpoint) -> dict[str, Any]:
    """The SDK lets a request go without its own Authorization only when told so each time."""
    from anthropic import Omit

    is_signed = any(name.lower() == "authorization" for name in endpoint.headers)
    return {} if is_signed else {"Authorization": Omit()}


async def ask(
    sdk: AsyncAnthropic, endpoint: Endpoint, request: ChatRequest, dialect: Dialect
) -> httpx2.Response:
    """Opens the stream and returns the response with its body unread."""
    if endpoint.form == "vertex":
        name = quote(request.model.removeprefix("anthropic/"), safe="@")
        url = f"{endpoint.base_url}/{name}:streamRawPredict"
        body = _vertex_body(request, dialect)
        return await post(sdk, url, body, endpoint, request_headers(endpoint))
    create = cast("Any", sdk.messages.with_raw_response.create)
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
        "max_tokens": request.max_tokens,
    }
    if request.temperature is not None and dialect.temperature:
        # The SDK of today knows no temperature any more; API_VERSION still does.
        body["extra_body"] = {"temperature": request.temperature}
    return body


def _vertex_body(request: ChatRequest, dialect: Dialect) -> dict[str, Any]:
    """On Vertex the address names the model and the body the version."""
    body = _body(request, dialect)
    body |= {"anthropic_version": VERTEX_VERSION, **body.pop("extra_body", {})}
    del body["model"]
    return body
