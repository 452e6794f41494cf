"""Amazon Bedrock's Converse API, for the models that do not speak the OpenAI wire there.

The SDK of the OpenAI wire builds these requests too: it signs alike, and the account has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from providers.adapters import openai_wire
from providers.adapters.converse_events import ConverseDecoder
from providers.adapters.endpoint import ChatRequest, Endpoint
from providers.adapters.event_stream import EventStreamSplitter
from providers.adapters.posting import post
from providers.adapters.refusals import Dialect

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

decoder = ConverseDecoder
connect = openai_wire.connect
request_headers = openai_wire.request_headers


def has_ended(piece: bytes) -> bool:
    """The last frame is known by its name; Amazon closes the response right after it."""
    return False


def splitter(endpoint: Endpoint) -> EventStreamSplitter:
    return EventStreamSplitter()


async def ask(
    sdk: AsyncOpenAI, endpoint: Endpoint, request: ChatRequest, dialect: Dialect
) -> httpx2.Response:
    url = f"{endpoint.base_url}/model/{quote(request.model, safe='')}/converse-stream"
    return await post(sdk, url, _body(request, dialect), endpoint, request_headers(endpoint))


def _body(request: ChatRequest, dialect: Dialect) -> dict[str, Any]:
    limits: dict[str, Any] = {"maxTokens": request.max_tokens}
    if request.temperature is not None and dialect.temperature:
        limits["temperature"] = request.temperature
    message = {"role": "user", "content": [{"text": request.text}]}
    return {"messages": [message], "inferenceConfig": limits}
