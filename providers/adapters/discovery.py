"""The models a provider says it has."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from providers.adapters import faults
from providers.adapters.clients import WIRES, Client, ClientPool
from providers.adapters.endpoint import DiscoveredModel, Endpoint
from providers.adapters.events import mapping, text_of
from providers.adapters.posting import raw_options
from providers.adapters.refusals import Refused
from providers.echoes import holds_secret
from providers.errors import ErrorClass, ExchangeFailed, sanitise

if TYPE_CHECKING:
    import httpx2

LIST_LIMIT = 16 * 1024 * 1024
PAGE_LIMIT = 50
LIST_KEYS = ("data", "models", "result", "modelSummaries", "endpoints", "resources")
# Most lists call a model by its id; these have another name for what a request must say.
ID_KEYS = {
    "bedrock": ("modelId", "inferenceProfileId"),
    "cloudflare": ("name",),
    "databricks": ("name",),
    "watsonx": ("model_id",),
}
USUAL_ID_KEYS = ("id", "model", "name")
ID_LIMIT = 255
KEPT_METADATA = (
    "owned_by",
    "created",
    "created_at",
    "display_name",
    "context_length",
    "context_window",
    "max_model_len",
    "max_input_tokens",
    "type",
    "size",
    "modified_at",
    "family",
    "parameter_size",
    "quantization_level",
)


async def list_models(endpoint: Endpoint, *, clients: ClientPool) -> list[DiscoveredModel]:
    """Every model once, in the provider's order. Raises ExchangeFailed."""
    if endpoint.discovery == "none":
        return [DiscoveredModel(upstream_id) for upstream_id in endpoint.known_models]
    try:
        async with clients.lease(endpoint) as client, asyncio.timeout(endpoint.total_timeout_s):
            items = await _items(client, endpoint)
    except TimeoutError:
        failure = faults.total_timeout(endpoint)
    except Exception as exc:
        known = faults.of_exception(exc, endpoint, has_answered=False)
        if known is None:
            raise
        failure = known
    else:
        id_keys = ID_KEYS.get(endpoint.discovery, USUAL_ID_KEYS)
        return _distinct(_model(item, id_keys, endpoint.secrets) for item in items)
    # Not within an except block: what was caught may hold the answer, and with it an echoed key.
    raise ExchangeFailed(failure)


async def _items(client: Client, endpoint: Endpoint) -> list[Any]:
    if endpoint.discovery == "ollama_tags":
        root = endpoint.base_url.rstrip("/").removesuffix("/v1")
        return _list_in(await _get(client, endpoint, f"{root}/api/tags", {}), endpoint)
    if endpoint.discovery == "bedrock":
        return await _bedrock_items(client, endpoint)
    if endpoint.protocol == "anthropic":
        return await _anthropic_items(client, endpoint)
    return _list_in(await _get(client, endpoint, endpoint.models_url or "/models", {}), endpoint)


async def _anthropic_items(client: Client, endpoint: Endpoint) -> list[Any]:
    items: list[Any] = []
    query: dict[str, Any] = {"limit": 1000}
    for _ in range(PAGE_LIMIT):
        page = await _get(client, endpoint, endpoint.models_url or "/v1/models", query)
        items += _list_in(page, endpoint)
        last_id = page.get("last_id") if isinstance(page, dict) and page.get("has_more") else None
        if not isinstance(last_id, str) or last_id == query.get("after_id"):
            break
        query = {"limit": 1000, "after_id": last_id}
    return items


async def _bedrock_items(client: Client, endpoint: Endpoint) -> list[Any]:
    """Models that can be asked by their own name, and the profiles of those that cannot."""
    models_url = endpoint.models_url or "/models"
    models = _list_in(await _get(client, endpoint, models_url, {}), endpoint)
    root, found, _ = models_url.partition("/foundation-models")
    if not found:  # a gateway's list
        return models
    named = [mapping(model) for model in models]
    texts = {text_of(model.get("modelId")) for model in named}
    profiles = await _bedrock_profiles(client, endpoint, f"{root}/inference-profiles")
    return [m for m in named if _is_on_demand(m)] + [p for p in profiles if _serves(p, texts)]


async def _bedrock_profiles(client: Client, endpoint: Endpoint, url: str) -> list[Any]:
    """None where the account may not see them: the models are a list all the same."""
    profiles: list[Any] = []
    query: dict[str, Any] = {"maxResults": 1000}
    for _ in range(PAGE_LIMIT):
        try:
            page = mapping(await _get(client, endpoint, url, query))
        except Exception as exc:
            refused = next((e for e in faults.causes(exc) if isinstance(e, Refused)), None)
            if refused is None or refused.status not in (403, 404):
                raise
            break
        profiles += _list_under(page, "inferenceProfileSummaries")
        query = {"maxResults": 1000, "nextToken": page.get("nextToken")}
        if not isinstance(query["nextToken"], str):
            break
    return profiles


def _list_under(body: dict[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else []


def _is_on_demand(model: dict[str, Any]) -> bool:
    return "ON_DEMAND" in (model.get("inferenceTypesSupported") or ["ON_DEMAND"])


def _serves(profile: object, model_ids: set[str]) -> bool:
    """Whether a profile leads to one of the models; its entries name them by their ARN."""
    models = _list_under(mapping(profile), "models")
    arns = [text_of(mapping(model).get("modelArn")) for model in models]
    return any(arn.rpartition("foundation-model/")[2] in model_ids for arn in arns)


async def _get(client: Client, endpoint: Endpoint, url: str, query: dict[str, Any]) -> Any:
    """A GET signed by the SDK."""
    import httpx2

    headers = WIRES[endpoint.protocol].request_headers(endpoint)
    options = {"params": query, **raw_options(endpoint, headers)}
    response = await client.sdk.get(url, cast_to=httpx2.Response, options=options)
    try:
        body = await _bounded_body(response, endpoint)
    finally:
        await response.aclose()
    return _json(body, response, endpoint)


async def _bounded_body(response: httpx2.Response, endpoint: Endpoint) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > LIST_LIMIT:
            raise _malformed(endpoint, "The model list is larger than 16 MiB.")
    return b"".join(parts)


def _json(body: bytes, response: httpx2.Response, endpoint: Endpoint) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(body)
    # Not within an except block: the error of json holds the body, and with it what it echoes.
    what = "a web page" if body.lstrip()[:1] == b"<" else "something that is not JSON"
    sentence = f"The provider answered {what} instead of its model list: check the base URL."
    raise _malformed(endpoint, sentence)


def _list_in(body: Any, endpoint: Endpoint) -> list[Any]:
    """A list under one of LIST_KEYS or a bare array; null stands for no models."""
    if isinstance(body, list):
        return body
    if isinstance(body, dict):
        for key in LIST_KEYS:
            if key in body and isinstance(body[key] or [], list):
                return body[key] or []
    raise _malformed(endpoint, "The provider's answer holds no model list.")


def _malformed(endpoint: Endpoint, sentence: str) -> ExchangeFailed:
    return ExchangeFailed(faults.failure(endpoint, ErrorClass.MALFORMED, sentence))


def _model(item: Any, id_keys: tuple[str, ...], secrets: tuple[str, ...]) -> DiscoveredModel | None:
    """None for an entry without a usable id."""
    if isinstance(item, str):
        return _named(item, {}, secrets)
    if not isinstance(item, dict):
        return None
    upstream_id = next((v for k in id_keys if isinstance(v := item.get(k), str)), "")
    details = item.get("details")
    facts = {**(details if isinstance(details, dict) else {}), **item}
    kept = {k: v for k in KEPT_METADATA if (v := _plain(facts.get(k), secrets)) is not None}
    return _named(upstream_id, kept, secrets)


def _named(
    upstream_id: str, metadata: dict[str, Any], secrets: tuple[str, ...]
) -> DiscoveredModel | None:
    name = upstream_id.removeprefix("models/").strip()
    if not name or len(name) > ID_LIMIT or not name.isprintable() or holds_secret(name, secrets):
        return None
    return DiscoveredModel(name, metadata)


def _plain(value: Any, secrets: tuple[str, ...]) -> str | int | float | bool | None:
    if isinstance(value, str):
        return sanitise(value, secrets, limit=200) or None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 1e18 else None
    return None


def _distinct(models: Any) -> list[DiscoveredModel]:
    return list({model.upstream_id: model for model in models if model is not None}.values())
