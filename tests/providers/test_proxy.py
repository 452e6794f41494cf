"""Providers are asked through a proxy only when the operator names one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from django.test import override_settings

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange
from providers.checks import check_proxy
from tests.providers.raw_server import make_good, raw_server


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP proxy that sends everything to one port of this machine; notes the targets."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b" ")[1].decode())
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        target_reader, target = await asyncio.open_connection("127.0.0.1", port)
        target.write(head + await reader.readexactly(length))
        writer.write(await target_reader.read())
        await writer.drain()
        target.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def ask(url: str, pool: ClientPool) -> bool:
    endpoint = Endpoint("test", url, api_key="sk-test-0123456789")
    outcome = await exchange(endpoint, ChatRequest("m", "p"), clients=pool)
    await pool.close()
    return outcome.ok


async def test_a_configured_proxy_carries_the_exchange() -> None:
    async with raw_server(make_good()) as server, proxy_to(server.port) as (proxy, asked):
        assert await ask("http://llm.example/v1", ClientPool(proxy=proxy))

    assert asked == ["http://llm.example/v1/chat/completions"]


@pytest.mark.parametrize("url", ["http://llm.example/v1", "https://llm.example/v1"])
async def test_a_proxy_that_is_gone_is_named_as_the_cause(url: str) -> None:
    pool = ClientPool(proxy="http://joe:hunter22@127.0.0.1:1")
    outcome = await exchange(Endpoint("test", url), ChatRequest("m", "p"), clients=pool)
    await pool.close()

    assert outcome.failure is not None
    assert outcome.failure.error_class == "connect"
    assert outcome.failure.message == "The proxy cannot be reached: Connection refused."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_is_asked_directly(host: str) -> None:
    async with raw_server(make_good()) as server, proxy_to(server.port) as (proxy, asked):
        assert await ask(f"http://{host}:{server.port}/v1", ClientPool(proxy=proxy))

    assert asked == []


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with raw_server(make_good()) as server:
        assert await ask(server.url, ClientPool())


@pytest.mark.parametrize("url", ["proxy:3128", "ftp://proxy", "http://", "http://proxy:99999"])
def test_what_is_no_proxy_stops_the_start(url: str) -> None:
    with override_settings(PROVIDER_PROXY_URL=url):
        errors = check_proxy()

    assert [error.id for error in errors] == ["providers.E001"]
    assert "http://user:password@proxy.example.org:3128" in str(errors[0].hint)
