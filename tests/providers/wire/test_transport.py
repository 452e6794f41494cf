from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest

from providers.measurement import TRACE_KEY, Trace, now_ns
from providers.wire.body import drain
from providers.wire.transport import RESENT_KEY, ArgusTransport
from tests.providers.wire.corpus import CHUNKED, OK
from tests.providers.wire.peer import Peer, Script, Visit, answering, keeping, silence

Serve = Callable[..., Awaitable[Peer]]
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


def make_request(peer: Peer, timeout_s: float = 5.0, **options: object) -> httpx2.Request:
    limits = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
    arguments = {"json": {"model": "m"}} | options
    return httpx2.Request("POST", peer.url, extensions={"timeout": limits}, **arguments)  # type: ignore[arg-type]


async def fetch(transport: ArgusTransport, peer: Peer) -> httpx2.Response:
    response = await transport.handle_async_request(make_request(peer))
    await response.aread()
    return response


async def test_a_request_goes_out_as_it_was_built(transport: ArgusTransport, serve: Serve) -> None:
    peer = await serve(answering(HELLO))
    response = await fetch(transport, peer)
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % peer.port)
    assert b"\r\nContent-Length: 13" in head
    assert body == b'{"model":"m"}'
    assert (response.status_code, response.content) == (200, b"hello")


async def test_the_stamps_are_in_the_order_of_events(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(answering(HELLO))
    before = now_ns()
    response = await transport.handle_async_request(make_request(peer))
    trace = await drain(response)
    stamps = [trace.conn0_ns, trace.conn1_ns, trace.send_ns, trace.hdr_ns, trace.pieces[0][0]]
    known = [stamp for stamp in [before, *stamps, trace.end_ns, now_ns()] if stamp is not None]
    assert len(known) == 8
    assert known == sorted(known)
    assert (trace.status, trace.dns_ms, trace.tls_ms) == (200, None, None)


async def test_each_piece_carries_the_stamp_of_its_arrival(
    transport: ArgusTransport, serve: Serve
) -> None:
    written: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(CHUNKED)
        for wire in (b"1\r\na\r\n", b"1\r\nb\r\n", b"1\r\nc\r\n0\r\n\r\n"):
            await asyncio.sleep(0.02)
            written.append(now_ns())
            await visit.say(wire)

    trace = await drain(await transport.handle_async_request(make_request(await serve(script))))
    assert [piece for _, piece in trace.pieces] == [b"a", b"b", b"c"]
    assert all(0 <= at - wrote < 10e6 for (at, _), wrote in zip(trace.pieces, written, strict=True))


async def test_a_busy_event_loop_does_not_make_the_peer_late(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(HELLO)
        until = now_ns() + 600_000_000
        while now_ns() < until:
            pass
        await asyncio.sleep(3600)

    peer = await serve(script)
    await asyncio.sleep(0.02)
    trace = await drain(await transport.handle_async_request(make_request(peer)))
    assert trace.send_ns is not None
    if trace.max_lag_ms is None:
        pytest.skip("this kernel gives no receive stamps")
    assert trace.max_lag_ms > 550
    assert (trace.pieces[0][0] - trace.send_ns) / 1e6 < 500


async def test_a_trace_given_with_the_request_is_the_one_that_is_filled(
    transport: ArgusTransport, serve: Serve
) -> None:
    trace = Trace(sched_ns=1)
    request = make_request(await serve(answering(HELLO)))
    request.extensions[TRACE_KEY] = trace
    response = await transport.handle_async_request(request)
    assert await drain(response) is trace
    assert response.extensions[TRACE_KEY] is trace


async def test_an_open_connection_is_used_again(transport: ArgusTransport, serve: Serve) -> None:
    peer = await serve(keeping(HELLO))
    first, second = [await fetch(transport, peer) for _ in range(2)]
    assert len(peer.visits) == 1
    assert first.extensions[TRACE_KEY].conn1_ns is not None
    assert second.extensions[TRACE_KEY].conn0_ns is None
    assert second.extensions[RESENT_KEY] is False


async def test_connections_used_at_once_are_not_shared(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(keeping(HELLO))
    await asyncio.gather(*[fetch(transport, peer) for _ in range(5)])
    assert len(peer.visits) == 5


async def test_an_idle_connection_the_server_closed_is_replaced_before_the_request(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(answering(HELLO))
    await fetch(transport, peer)
    await asyncio.sleep(0.02)
    response = await fetch(transport, peer)
    assert len(peer.visits) == len(peer.requests) == 2
    assert response.extensions[RESENT_KEY] is False


async def test_bytes_on_an_idle_connection_end_its_use(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(HELLO)
        await asyncio.sleep(0.01)
        await visit.say(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await asyncio.sleep(3600)

    peer = await serve(script)
    await fetch(transport, peer)
    await asyncio.sleep(0.03)
    assert (await fetch(transport, peer)).status_code == 200
    assert len(peer.visits) == 2


def failing_second(end: Callable[[Visit], None]) -> Script:
    """The first connection dies on its second request; every later one answers."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(HELLO)
        await visit.request()
        if len(visit.peer.visits) == 1:
            end(visit)
        else:
            await visit.say(HELLO)

    return script


@pytest.mark.parametrize("end", [Visit.reset, lambda visit: visit.writer.close()])
async def test_a_reused_connection_that_dies_unanswered_is_tried_once_more(
    transport: ArgusTransport, serve: Serve, end: Callable[[Visit], None]
) -> None:
    peer = await serve(failing_second(end))
    await fetch(transport, peer)
    response = await fetch(transport, peer)
    assert response.content == b"hello"
    assert response.extensions[RESENT_KEY] is True
    assert response.extensions[TRACE_KEY].conn1_ns is not None
    assert len(peer.requests) == 3


async def test_a_server_that_takes_its_time_to_hang_up_has_refused_and_is_not_asked_again(
    transport: ArgusTransport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang_up_late(visit: Visit) -> None:
        await visit.request()
        await visit.say(HELLO)
        await visit.request()
        await asyncio.sleep(0.2)
        visit.reset()

    monkeypatch.setattr("providers.wire.transport.STILLBORN_S", 0.1)
    peer = await serve(hang_up_late)
    await fetch(transport, peer)
    with pytest.raises(httpx2.ReadError, match="reset"):
        await fetch(transport, peer)
    assert len(peer.requests) == 2


async def test_a_reused_connection_that_dies_in_its_answer_is_not_tried_again(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(answering(HELLO, b"HTTP/1.1 2"))
    await fetch(transport, peer)
    with pytest.raises(httpx2.RemoteProtocolError, match="middle of the response headers"):
        await fetch(transport, peer)
    assert len(peer.requests) == 2


async def test_a_new_connection_that_dies_is_not_tried_again(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(answering(b""))
    with pytest.raises(httpx2.RemoteProtocolError, match="without a response"):
        await fetch(transport, peer)
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "header", [b"Connection: close\r\nContent-Length: 5", b"Content-Length: 5\r\nX: " + b"y" * 9]
)
async def test_a_connection_is_kept_only_when_the_server_keeps_it(
    transport: ArgusTransport, serve: Serve, header: bytes
) -> None:
    peer = await serve(keeping(OK + header + b"\r\n\r\nhello"))
    await fetch(transport, peer)
    assert transport.idle_connections == (0 if b"close" in header else 1)


async def test_a_request_that_says_close_ends_its_connection(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(keeping(HELLO))
    request = make_request(peer, headers={"Connection": "close"})
    await (await transport.handle_async_request(request)).aread()
    assert transport.idle_connections == 0


async def test_an_idle_connection_expires(serve: Serve) -> None:
    peer = await serve(keeping(HELLO))
    transport = ArgusTransport(idle_expiry_s=0.03)
    await fetch(transport, peer)
    assert transport.idle_connections == 1
    await asyncio.sleep(0.06)
    assert (transport.idle_connections, transport.open_connections) == (0, 0)
    await transport.aclose()


async def test_a_streamed_body_is_sent_in_chunks(transport: ArgusTransport, serve: Serve) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b""
        yield b"defgh"

    peer = await serve(answering(HELLO))
    request = make_request(peer, json=None, content=parts())
    assert (await transport.handle_async_request(request)).status_code == 200
    assert peer.requests[0].endswith(b"\r\n\r\n3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n")


@pytest.mark.parametrize("length", [2, 5])
async def test_a_streamed_body_of_another_length_is_refused(
    transport: ArgusTransport, serve: Serve, length: int
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"abc"

    peer = await serve(silence)
    headers = {"Content-Length": str(length)}
    with pytest.raises(httpx2.LocalProtocolError, match="Content-Length"):
        await transport.handle_async_request(
            make_request(peer, json=None, content=parts(), headers=headers)
        )
    assert transport.open_connections == 0


async def test_an_answer_before_the_end_of_the_body_stops_the_body(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.001)

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await visit.reader.read()

    request = make_request(await serve(script), json=None, content=parts())
    response = await transport.handle_async_request(request)
    assert (response.status_code, await response.aread()) == (413, b"big")
    assert transport.open_connections == 0


@pytest.mark.parametrize(
    "request_",
    [
        httpx2.Request("GET", "http://127.0.0.1/", headers={"X-A": "a\r\nX-B: b"}),
        httpx2.Request("G T", "http://127.0.0.1/"),
        httpx2.Request("POST", "http://127.0.0.1/", headers={"Content-Length": "x"}, content=b"a"),
    ],
)
async def test_nothing_malformed_is_put_on_the_wire(
    transport: ArgusTransport, request_: httpx2.Request
) -> None:
    with pytest.raises(httpx2.LocalProtocolError):
        await transport.handle_async_request(request_)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///path"])
async def test_only_http_urls_with_a_host_are_carried(transport: ArgusTransport, url: str) -> None:
    with pytest.raises(httpx2.UnsupportedProtocol):
        await transport.handle_async_request(httpx2.Request("GET", url))


async def test_a_redirect_is_an_answer_like_any_other(
    transport: ArgusTransport, serve: Serve
) -> None:
    wire = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    peer = await serve(answering(wire))
    async with httpx2.AsyncClient(transport=transport) as client:
        response = await client.get(peer.url)
    assert (response.status_code, len(peer.requests)) == (302, 1)


async def test_a_compressed_body_stays_raw_in_the_trace(
    transport: ArgusTransport, serve: Serve
) -> None:
    import gzip

    packed = gzip.compress(b"hello")
    wire = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    response = await fetch(transport, await serve(answering(wire)))
    assert response.content == b"hello"
    assert b"".join(piece for _, piece in response.extensions[TRACE_KEY].pieces) == packed


async def test_a_transport_serves_one_event_loop(transport: ArgusTransport, serve: Serve) -> None:
    await fetch(transport, await serve(answering(HELLO)))

    def elsewhere() -> None:
        asyncio.run(transport.handle_async_request(httpx2.Request("GET", "http://127.0.0.1/")))

    with pytest.raises(RuntimeError, match="event loop"):
        await asyncio.to_thread(elsewhere)


async def test_closing_ends_idle_and_busy_connections(serve: Serve) -> None:
    idle, busy = await serve(keeping(HELLO)), await serve(silence)
    transport = ArgusTransport()
    await fetch(transport, idle)
    waiting = asyncio.create_task(fetch(transport, busy))
    await asyncio.sleep(0.02)
    await transport.aclose()
    with pytest.raises(httpx2.ReadError, match="closed"):
        await waiting
    assert transport.open_connections == 0
    with pytest.raises(RuntimeError, match="closed"):
        await fetch(transport, idle)
