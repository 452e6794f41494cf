"""Every provider of the catalog that can be used, asked over a socket at the place it names."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from providers.adapters import ChatRequest, Endpoint, exchange, list_models
from providers.catalog import CATALOG
from providers.endpoints import KEY_EXCHANGES
from providers.wire.origin import DEFAULT_PORTS
from tests.providers.aws_frames import CONVERSE
from tests.providers.test_conformance_ways import (
    CLAUDE_STREAM,
    COMPLETION,
    IBM_TOKENS,
    SBER_TOKENS,
)
from tests.providers.test_endpoints import KEY, resolved
from tests.providers.vendor_cases import WITH_USAGE
from tests.providers.vendor_server import Asked, Vendor, vendor_at_work

SUPPORTED = [spec.id for spec in CATALOG.values() if spec.supported]
TOKEN = {"access_token": "bought-0123456789", "expires_in": 3600}
STREAMS: dict[str, Sequence[str | bytes]] = {
    "anthropic": CLAUDE_STREAM,
    "converse": CONVERSE,
    "openai": WITH_USAGE,
}
PROOFS = {
    "bearer": {"authorization": f"Bearer {KEY}"},
    "access_token": {"authorization": f"Bearer {KEY}"},
    "api-key": {"api-key": KEY},
    "x-api-key": {"x-api-key": KEY},
    "optional_bearer": {},
    **{key: {"authorization": f"Bearer {TOKEN['access_token']}"} for key in KEY_EXCHANGES},
}


def make_vendor(endpoint: Endpoint) -> Vendor:
    is_older = endpoint.form in ("completion", "fim")
    stream = COMPLETION if is_older else STREAMS[endpoint.towards("m1").protocol]
    answers = {IBM_TOKENS: TOKEN, SBER_TOKENS: TOKEN}
    return Vendor(stream, {"data": [{"id": "m1"}]}, answers=answers)


def place_of(url: str) -> str:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port not in (None, DEFAULT_PORTS[parts.scheme]) else ""
    return f"{parts.hostname}{port}"


def proof_in(asked: Asked) -> dict[str, str]:
    names = {"authorization", "api-key", "x-api-key"}
    return {name: text for name, text in asked.headers.items() if name in names}


@pytest.mark.parametrize("provider_type", SUPPORTED)
async def test_it_is_asked_at_its_place_with_its_proof_and_answers(provider_type: str) -> None:
    endpoint = resolved(provider_type)
    vendor = make_vendor(endpoint)
    async with vendor_at_work(vendor) as clients:
        outcome = await exchange(endpoint, ChatRequest("m1", "Hi"), clients=clients)

    asked = vendor.asked[-1]
    assert (outcome.failure, outcome.text) == (None, "Hello there")
    assert asked.url.partition("/")[0] == place_of(endpoint.base_url)
    assert proof_in(asked) == PROOFS[CATALOG[provider_type].auth]
    assert outcome.figures()["output_tokens"] == 2


@pytest.mark.parametrize("provider_type", SUPPORTED)
async def test_it_has_a_list_of_models_or_needs_none(provider_type: str) -> None:
    endpoint = resolved(provider_type)
    vendor = make_vendor(endpoint)
    vendor.models = {"data": [{"id": "m1", "name": "m1", "modelId": "m1", "model_id": "m1"}]}
    async with vendor_at_work(vendor) as clients:
        found = [model.upstream_id for model in await list_models(endpoint, clients=clients)]

    assert found == (list(endpoint.known_models) if endpoint.discovery == "none" else ["m1"])
