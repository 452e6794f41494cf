from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from providers.measurement import TRACE_KEY
from providers.wire import dial
from providers.wire.body import drain
from providers.wire.origin import Origin
from providers.wire.transport import ArgusTransport
from tests.providers.wire.corpus import CHUNKED, OK
from tests.providers.wire.peer import Peer, Visit, keeping, silence

Serve = Callable[..., Awaitable[Peer]]
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


def make_request(url: str, **timeouts: float) -> httpx2.Request:
    return httpx2.Request("POST", url, content=b"{}", extensions={"timeout": timeouts})


async def fetch(transport: ArgusTransport, url: str, **timeouts: float) -> bytes:
    response = await transport.handle_async_request(make_request(url, **timeouts))
    try:
        return await response.aread()
    finally:
        await response.aclose()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def test_a_refused_connection_names_its_cause(transport: ArgusTransport) -> None:
    with pytest.raises(httpx2.ConnectError) as caught:
        await fetch(transport, f"http://127.0.0.1:{free_port()}/")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert "127.0.0.1" in str(caught.value)
    assert transport.open_connections == 0


async def test_a_name_that_does_not_resolve_is_told_apart(transport: ArgusTransport) -> None:
    with pytest.raises(httpx2.ConnectError, match="could not be resolved") as caught:
        await fetch(transport, "http://no-such-host.invalid/")
    assert isinstance(caught.value.__cause__, socket.gaierror)


async def test_a_failed_request_keeps_its_trace(transport: ArgusTransport) -> None:
    request = make_request(f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(httpx2.ConnectError):
        await transport.handle_async_request(request)
    trace = request.extensions[TRACE_KEY]
    assert trace.conn0_ns is not None
    assert (trace.conn1_ns, trace.send_ns) == (None, None)


async def test_a_slow_name_server_is_a_connect_timeout(
    transport: ArgusTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(origin: Origin) -> list[dial.Address]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    monkeypatch.setattr(dial, "_lookup", never)
    with pytest.raises(httpx2.ConnectTimeout):
        await fetch(transport, "http://slow.invalid/", connect=0.02)
    assert transport.open_connections == 0


async def test_a_listener_that_accepts_nobody_is_a_connect_timeout(
    transport: ArgusTransport,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        with pytest.raises(httpx2.ConnectTimeout):
            await fetch(transport, f"http://127.0.0.1:{address[1]}/", connect=0.05)
        for sock in waiting:
            sock.close()


async def test_silence_before_the_answer_is_a_read_timeout(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(silence)
    with pytest.raises(httpx2.ReadTimeout, match=r"nothing for 0\.05 s"):
        await fetch(transport, peer.url, read=0.05)
    assert transport.open_connections == 0


async def test_silence_in_the_body_is_a_read_timeout_and_slowness_is_not(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(CHUNKED)
        for _ in range(6):
            await asyncio.sleep(0.04)
            await visit.say(b"1\r\na\r\n")
        await asyncio.sleep(3600)

    peer = await serve(script)
    response = await transport.handle_async_request(make_request(peer.url, read=0.12))
    with pytest.raises(httpx2.ReadTimeout):
        await drain(response)
    assert [piece for _, piece in response.extensions[TRACE_KEY].pieces] == [b"a"] * 6


async def test_bytes_a_lagging_loop_had_not_read_are_no_silence(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(HELLO)
        time.sleep(0.1)

    peer = await serve(script)
    assert await fetch(transport, peer.url, read=0.05) == b"hello"


async def test_a_server_that_takes_nothing_is_a_write_timeout(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(3600)

    peer = await serve(script)
    request = make_request(peer.url, write=0.1)
    request = httpx2.Request(
        "POST", peer.url, content=b"x" * 30_000_000, extensions=request.extensions
    )
    with pytest.raises(httpx2.WriteTimeout):
        await transport.handle_async_request(request)
    assert transport.open_connections == 0


async def test_a_full_pool_is_a_pool_timeout(serve: Serve) -> None:
    peer = await serve(silence)
    transport = ArgusTransport(max_connections=1)
    busy = asyncio.create_task(fetch(transport, peer.url))
    await asyncio.sleep(0.02)
    with pytest.raises(httpx2.PoolTimeout):
        await fetch(transport, peer.url, pool=0.03)
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    await transport.aclose()


async def test_a_full_pool_serves_the_next_when_one_ends(serve: Serve) -> None:
    peer = await serve(keeping(HELLO))
    transport = ArgusTransport(max_connections=2)
    bodies = await asyncio.gather(*[fetch(transport, peer.url) for _ in range(9)])
    assert bodies == [b"hello"] * 9
    assert len(peer.visits) == 2
    await transport.aclose()


async def test_a_full_pool_gives_up_an_idle_connection_elsewhere(serve: Serve) -> None:
    one, other = await serve(keeping(HELLO)), await serve(keeping(HELLO))
    transport = ArgusTransport(max_connections=1)
    for peer in (one, other, one):
        assert await fetch(transport, peer.url) == b"hello"
    assert transport.open_connections == 1
    assert (len(one.visits), len(other.visits)) == (2, 1)
    await transport.aclose()


async def test_a_cancelled_waiter_passes_its_turn_on(serve: Serve) -> None:
    peer = await serve(keeping(HELLO))
    transport = ArgusTransport(max_connections=1)
    first = await transport.handle_async_request(make_request(peer.url))
    waiters = [asyncio.create_task(fetch(transport, peer.url)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiters[0].cancel()
    await first.aread()
    assert await asyncio.wait_for(waiters[1], 2) == b"hello"
    await transport.aclose()


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 2", HELLO[:-3]])
async def test_a_reset_is_a_read_error(
    transport: ArgusTransport, serve: Serve, wire: bytes
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(wire)
        await asyncio.sleep(0.02)
        visit.reset()

    peer = await serve(script)
    with pytest.raises(httpx2.ReadError) as caught:
        await fetch(transport, peer.url)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert transport.open_connections == 0


async def test_a_server_that_only_closes_its_half_has_still_answered(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK + b"\r\nuntil the end")
        visit.writer.write_eof()
        await asyncio.sleep(3600)

    peer = await serve(script)
    assert await fetch(transport, peer.url) == b"until the end"
    assert transport.open_connections == 0


async def test_a_body_cut_short_is_a_protocol_error(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(HELLO[:-2])

    response = await transport.handle_async_request(make_request((await serve(script)).url))
    with pytest.raises(httpx2.RemoteProtocolError, match="before the response body was complete"):
        await drain(response)
    assert response.is_closed


@pytest.mark.parametrize("wire", [b"", CHUNKED + b"1\r\na\r\n"])
@pytest.mark.parametrize("reader", [drain, httpx2.Response.aread])
async def test_cancelling_closes_the_connection(
    transport: ArgusTransport, serve: Serve, wire: bytes, reader: Callable[..., Awaitable[Any]]
) -> None:
    closed = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(wire)
        await visit.reader.read()
        closed.set()

    async def exchange(url: str) -> None:
        await reader(await transport.handle_async_request(make_request(url)))

    task = asyncio.create_task(exchange((await serve(script)).url))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(closed.wait(), 2)
    assert transport.open_connections == 0


async def test_a_response_closed_unread_closes_its_connection(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(keeping(CHUNKED + b"1\r\na\r\n"))
    response = await transport.handle_async_request(make_request(peer.url))
    await response.aclose()
    assert transport.open_connections == 0


async def test_no_task_or_timer_outlives_a_failure(transport: ArgusTransport, serve: Serve) -> None:
    peer = await serve(silence)
    before = asyncio.all_tasks()
    with pytest.raises(httpx2.ReadTimeout):
        await fetch(transport, peer.url, connect=1, read=0.02, write=1, pool=1)
    assert asyncio.all_tasks() - before == peer.tasks
