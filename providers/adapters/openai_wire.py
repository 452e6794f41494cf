"""The OpenAI wire through its SDK: it builds and signs, nothing more while the clock runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from providers.adapters.deadline import transport_timeout
from providers.adapters.endpoint import ChatRequest, Endpoint, Form
from providers.adapters.event_stream import PayloadSplitter
from providers.adapters.openai_events import OpenAIDecoder
from providers.adapters.posting import post
from providers.adapters.refusals import Dialect
from providers.adapters.sse import Splitter, SseSplitter

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

decoder = OpenAIDecoder


# A chat asked for elsewhere than at the SDK's chat completions.
PATHS: dict[Form, str] = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "fim": "/fim/completions",
    "sagemaker": "/invocations-response-stream",
    "watsonx": "/ml/v1/text/chat_stream",
}
_END_LINES = (b"data: [DONE]", b"data:[DONE]")
WATSONX_DEPLOYMENT = "deployment/"


def has_ended(piece: bytes) -> bool:
    """Whether the piece ends with the end mark as an event of its own, not as words of an answer:
    a line break stands before it, which JSON never holds as such."""
    tail = piece[-64:].rstrip()
    return tail.endswith(b"[DONE]") and tail.rpartition(b"\n")[2] in _END_LINES


def splitter(endpoint: Endpoint) -> Splitter:
    return PayloadSplitter() if endpoint.form == "sagemaker" else SseSplitter()


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
    body = _body(endpoint, request, dialect)
    if "{model}" in endpoint.base_url:
        url = endpoint.base_url.replace("{model}", quote(request.model, safe=""))
        headers = sdk._custom_headers
        sdk = sdk.with_options(base_url=url)
        sdk._custom_headers = headers
    if endpoint.form != "chat" or not endpoint.names_model:
        return await post(sdk, _path(endpoint, request), body, endpoint, request_headers(endpoint))
    create = cast("Any", sdk.chat.completions.with_raw_response.create)
    raw = await create(
        **body,
        extra_headers=request_headers(endpoint),
        timeout=transport_timeout(endpoint),
    )
    return cast("httpx2.Response", raw.http_response)


def _path(endpoint: Endpoint, request: ChatRequest) -> str:
    path, model = PATHS[endpoint.form], request.model
    if endpoint.form == "watsonx" and model.startswith(WATSONX_DEPLOYMENT):
        name = quote(model.removeprefix(WATSONX_DEPLOYMENT), safe="")
        return path.replace("/text/", f"/deployments/{name}/text/")
    return path


def _body(endpoint: Endpoint, request: ChatRequest, dialect: Dialect) -> dict[str, Any]:
    body: dict[str, Any] = _subject(endpoint, request)
    body["stream"] = True
    body[dialect.token_param] = request.max_tokens
    if endpoint.form == "watsonx":
        del body["stream"]  # its address says so
    if request.temperature is not None and dialect.temperature:
        body["temperature"] = request.temperature
    if dialect.stream_options:
        body["stream_options"] = {"include_usage": True}
    return body


def _subject(endpoint: Endpoint, request: ChatRequest) -> dict[str, Any]:
    """The model and what it is told, under the names of the form."""
    if endpoint.form in ("completion", "fim"):
        return {"model": request.model, "prompt": request.text}
    told = {"messages": [{"role": "user", "content": request.text}]}
    if endpoint.form == "watsonx":
        is_deployed = request.model.startswith(WATSONX_DEPLOYMENT)
        return told if is_deployed else {"model_id": request.model, **endpoint.extra_body, **told}
    return {"model": request.model, **told} if endpoint.names_model else told
