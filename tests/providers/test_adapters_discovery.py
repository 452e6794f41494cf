"""Model lists as providers serve them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from providers.adapters import ClientPool, DiscoveredModel, Endpoint, list_models
from providers.adapters.endpoint import Protocol
from providers.adapters.faults import causes
from providers.errors import ExchangeFailed
from tests.providers.raw_server import make_status, raw_server

KEY = "sk-test-Ab12Cd34Ef56Gh78"


@pytest.fixture
async def clients() -> AsyncIterator[ClientPool]:
    pool = ClientPool()
    yield pool
    await pool.close()


async def listed(clients: ClientPool, body: Any, **given: Any) -> list[DiscoveredModel]:
    async with raw_server(make_status(200, body)) as server:
        endpoint = Endpoint("test", f"{server.url}/v1", api_key=KEY, **given)
        return await list_models(endpoint, clients=clients)


async def test_an_openai_list_keeps_a_few_facts(clients: ClientPool) -> None:
    facts = {"owned_by": "acme", "created": 1700000000, "context_length": 8192}
    body = {"object": "list", "data": [{"id": "m-1", **facts, "permission": [{}]}, {"id": "m-2"}]}

    assert await listed(clients, body) == [DiscoveredModel("m-1", facts), DiscoveredModel("m-2")]


@pytest.mark.parametrize(
    "body",
    [
        [{"id": "a"}, {"id": "b"}],
        ["a", "b"],
        {"models": [{"name": "models/a"}, {"name": "models/b"}]},
        {"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}]},
        {"data": [{"id": "a"}, {"id": ""}, {"id": 7}, None, {}, {"id": "x\n"}, {"id": "b"}]},
        {"data": [{"id": "a"}, {"id": "y" * 300}, {"id": " b "}]},
    ],
    ids=["bare array", "bare names", "google", "twice", "without ids", "odd ids"],
)
async def test_lists_come_in_many_shapes(clients: ClientPool, body: Any) -> None:
    names = [model.upstream_id for model in await listed(clients, body)]

    assert [name for name in names if name != "x"] == ["a", "b"]


@pytest.mark.parametrize("body", [[], {"data": []}, {"data": None}, {"models": None}])
async def test_a_provider_may_have_no_models(clients: ClientPool, body: Any) -> None:
    assert await listed(clients, body) == []


async def test_the_list_is_asked_for_with_the_key(clients: ClientPool) -> None:
    async with raw_server(make_status(200, [])) as server:
        endpoint = Endpoint("test", f"{server.url}/v1", api_key=KEY, query={"api-version": "9"})
        await list_models(endpoint, clients=clients)

    assert server.received[0].target == "/v1/models?api-version=9"
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_list_may_be_elsewhere(clients: ClientPool) -> None:
    async with raw_server(make_status(200, ["m"])) as server:
        endpoint = Endpoint("test", f"{server.url}/v1", models_url=f"{server.url}/other/list")
        await list_models(endpoint, clients=clients)

    assert server.received[0].target == "/other/list"


async def test_ollama_lists_its_tags_at_the_root(clients: ClientPool) -> None:
    details = {"family": "llama", "parameter_size": "8B", "quantization_level": "Q4_0"}
    tag = {"name": "llama3:8b", "model": "llama3:8b", "size": 4_000_000_000, "details": details}
    async with raw_server(make_status(200, {"models": [tag]})) as server:
        endpoint = Endpoint("ollama", f"{server.url}/v1", discovery="ollama_tags")
        found = await list_models(endpoint, clients=clients)

    assert server.received[0].target == "/api/tags"
    assert found == [DiscoveredModel("llama3:8b", {"size": 4_000_000_000, **details})]


async def test_anthropic_pages_are_followed_to_the_last(clients: ClientPool) -> None:
    pages = [
        {"data": [{"id": "a", "display_name": "A"}], "has_more": True, "last_id": "a"},
        {"data": [{"id": "b"}], "has_more": False, "last_id": "b"},
    ]
    async with raw_server(*(make_status(200, page) for page in pages)) as server:
        endpoint = Endpoint("anthropic", server.url, "anthropic", api_key=KEY)
        found = await list_models(endpoint, clients=clients)

    assert [model.upstream_id for model in found] == ["a", "b"]
    assert found[0].metadata == {"display_name": "A"}
    assert server.received[0].target == "/v1/models?limit=1000"
    assert server.received[1].target == "/v1/models?limit=1000&after_id=a"


async def test_pages_that_never_end_are_left(clients: ClientPool) -> None:
    page = {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}
    async with raw_server(make_status(200, page)) as server:
        endpoint = Endpoint("anthropic", server.url, "anthropic", api_key=KEY)
        found = await list_models(endpoint, clients=clients)

    assert [model.upstream_id for model in found] == ["a"]
    assert len(server.received) == 2


async def test_a_provider_without_a_list_has_the_known_models() -> None:
    endpoint = Endpoint("test", "http://x", discovery="none", known_models=("a", "b"))
    found = await list_models(endpoint, clients=ClientPool())

    assert [model.upstream_id for model in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("status", "body", "error_class", "words"),
    [
        (200, b"<html>hi</html>", "malformed", "a web page instead of its model list"),
        (200, b"not json", "malformed", "something that is not JSON"),
        (200, b"", "malformed", "something that is not JSON"),
        (200, {"object": "list"}, "malformed", "holds no model list"),
        (200, {"data": {"id": "x"}}, "malformed", "holds no model list"),
        (200, 7, "malformed", "holds no model list"),
        (401, {"error": {"message": f"bad {KEY}"}}, "auth", "answered 401"),
        (404, b"", "not_found", "answered 404"),
        (301, b"", "bad_request", "redirects"),
        (503, b"", "overloaded", "answered 503"),
    ],
)
@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_a_bad_list_says_what_is_wrong(
    clients: ClientPool, protocol: Protocol, status: int, body: Any, error_class: str, words: str
) -> None:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with raw_server(make_status(status, payload)) as server:
        endpoint = Endpoint("test", server.url, protocol, api_key=KEY)
        with pytest.raises(ExchangeFailed) as caught:
            await list_models(endpoint, clients=clients)

    failure = caught.value.failure
    assert (failure.error_class, words in failure.message) == (error_class, True), failure
    assert KEY not in str(caught.value)


async def test_a_list_that_does_not_come_is_a_timeout(clients: ClientPool) -> None:
    async with raw_server([3.0]) as server:
        endpoint = Endpoint("test", server.url, api_key=KEY, total_timeout_s=0.2)
        with pytest.raises(ExchangeFailed, match=r"within 0\.2 s"):
            await list_models(endpoint, clients=clients)


async def test_a_server_that_is_not_there_is_a_connect_failure(clients: ClientPool) -> None:
    with pytest.raises(ExchangeFailed) as caught:
        await list_models(Endpoint("test", "http://127.0.0.1:1", api_key=KEY), clients=clients)

    assert caught.value.failure.error_class == "connect"


async def test_a_list_that_echoes_the_key_brings_it_nowhere(clients: ClientPool) -> None:
    entries = [{"id": f"m-{KEY}"}, {"id": "m-1", "owned_by": f"owner of {KEY}"}]
    async with raw_server(make_status(200, json.dumps({"data": entries}).encode())) as server:
        found = await list_models(Endpoint("test", server.url, api_key=KEY), clients=clients)

    assert found == [DiscoveredModel("m-1", {"owned_by": "owner of [hidden]"})]


@pytest.mark.parametrize("status", [200, 302, 401, 500])
@pytest.mark.parametrize("body", [f"not json {KEY}", f"<p>{KEY}", f'{{"no": "{KEY}"}}'])
async def test_no_exception_of_a_bad_list_holds_the_key(
    clients: ClientPool, body: str, status: int
) -> None:
    async with raw_server(make_status(status, body.encode())) as server:
        with pytest.raises(ExchangeFailed) as caught:
            await list_models(Endpoint("test", server.url, api_key=KEY), clients=clients)

    for error in causes(caught.value):
        assert KEY not in f"{error!r} {vars(error)}"
