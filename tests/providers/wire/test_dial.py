from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from providers.measurement import TRACE_KEY, Trace
from providers.wire import dial as dialling
from providers.wire.body import drain
from providers.wire.dial import Address, Resolver, dial
from providers.wire.origin import Origin
from providers.wire.transport import ArgusTransport
from tests.providers.wire.corpus import OK
from tests.providers.wire.peer import Peer, keeping

Serve = Callable[..., Awaitable[Peer]]
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
V4, V6 = int(socket.AF_INET), int(socket.AF_INET6)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
async def test_an_ipv6_address_is_reached(transport: ArgusTransport, serve: Serve) -> None:
    peer = await serve(keeping(HELLO), host="::1")
    response = await transport.handle_async_request(httpx2.Request("GET", peer.url))
    await drain(response)
    assert b"\r\nHost: [::1]:%d\r\n" % peer.port in peer.requests[0]


async def test_a_name_is_looked_up_and_its_time_is_kept_apart(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(keeping(HELLO), name="localhost")
    response = await transport.handle_async_request(httpx2.Request("GET", peer.url))
    trace = await drain(response)
    assert trace is response.extensions[TRACE_KEY]
    assert trace.conn0_ns is not None
    assert trace.conn1_ns is not None
    assert trace.dns_ms is not None
    assert 0 < trace.dns_ms < (trace.conn1_ns - trace.conn0_ns) / 1e6


async def test_lookups_at_the_same_time_ask_once(lookups: list[Origin]) -> None:
    resolver, origin = Resolver(), Origin("http", "name.invalid", 80)
    found = await asyncio.gather(*[resolver.addresses(origin) for _ in range(20)])
    assert found == [[(V4, ("127.0.0.1", 80))]] * 20
    await resolver.addresses(origin)
    assert lookups == [origin, origin]


async def test_one_asker_that_leaves_takes_nobody_along(lookups: list[Origin]) -> None:
    resolver, origin = Resolver(), Origin("http", "name.invalid", 80)
    asking = [asyncio.create_task(resolver.addresses(origin)) for _ in range(2)]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert await asking[1] == [(V4, ("127.0.0.1", 80))]


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[Origin]:
    asked: list[Origin] = []

    async def lookup(origin: Origin) -> list[Address]:
        asked.append(origin)
        await asyncio.sleep(0.01)
        return [(V4, ("127.0.0.1", origin.port))]

    monkeypatch.setattr(dialling, "_lookup", lookup)
    return asked


def test_the_families_take_turns() -> None:
    given = [(V6, ("a",)), (V6, ("b",)), (V4, ("c",)), (V6, ("d",)), (V4, ("e",))]
    order = [address[0] for _, address in dialling.by_turns(given)]
    assert order == ["a", "c", "b", "e", "d"]


def serve_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    async def lookup(origin: Origin) -> list[Address]:
        return list(addresses)

    monkeypatch.setattr(dialling, "_lookup", lookup)


async def connect() -> None:
    link = await dial(Origin("http", "name.invalid", 80), Resolver(), None, Trace())
    link.close()


async def test_a_dead_address_gives_way_to_the_next_at_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = await serve(keeping(HELLO))
    dead = (V4, ("127.0.0.1", 1))
    serve_addresses(monkeypatch, dead, (V4, ("127.0.0.1", peer.port)))
    async with asyncio.timeout(dialling.ATTEMPT_DELAY_S / 2):
        await connect()
    assert await peer.visited() == 1


async def test_a_silent_address_gives_way_after_its_head_start(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = await serve(keeping(HELLO))
    silent = (V4, ("127.0.0.2", 1))
    real = dialling._connect

    async def connect_or_hang(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
        if address == silent:
            await asyncio.sleep(3600)
        return await real(loop, address)

    monkeypatch.setattr(dialling, "_connect", connect_or_hang)
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY_S", 0.02)
    serve_addresses(monkeypatch, silent, (V4, ("127.0.0.1", peer.port)))
    await connect()
    assert await peer.visited() == 1
    assert [task for task in asyncio.all_tasks() if "_connect" in repr(task)] == []


async def test_when_every_address_is_dead_the_first_error_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serve_addresses(monkeypatch, (V4, ("127.0.0.1", 1)), (V4, ("127.0.0.1", 2)))
    with pytest.raises(ConnectionRefusedError):
        await connect()
