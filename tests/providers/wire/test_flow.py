from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from providers.measurement import TRACE_KEY
from providers.wire.body import drain
from providers.wire.exchange import MAX_BACKLOG_BYTES
from providers.wire.reference import ReferenceTransport
from providers.wire.transport import ArgusTransport
from tests.providers.wire.corpus import CHUNKED, OK
from tests.providers.wire.peer import Peer, Visit, answering, keeping

Serve = Callable[..., Awaitable[Peer]]
LETTERS = [b"a", b"b", b"c", b"d"]


async def spell(visit: Visit) -> None:
    """One letter at a time, far enough apart to come as a read of its own."""
    await visit.request()
    await visit.say(CHUNKED)
    for letter in LETTERS:
        await asyncio.sleep(0.005)
        await visit.say(b"1\r\n%b\r\n" % letter)
    await visit.say(b"0\r\n\r\n")
    await asyncio.sleep(3600)


async def send(transport: httpx2.AsyncBaseTransport, peer: Peer) -> httpx2.Response:
    request = httpx2.Request("GET", peer.url, extensions={"timeout": {"read": 5.0}})
    return await transport.handle_async_request(request)


async def test_a_reader_that_stands_still_stops_the_socket(
    transport: ArgusTransport, serve: Serve
) -> None:
    size = 40_000_000
    written = 0

    async def script(visit: Visit) -> None:
        nonlocal written
        await visit.request()
        await visit.say(OK + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(0, size, 100_000):
            await visit.say(b"x" * 100_000)
            written += 100_000

    response = await send(transport, await serve(script))
    await asyncio.sleep(0.2)
    trace = response.extensions[TRACE_KEY]
    waiting = sum(len(piece) for _, piece in trace.pieces)
    assert waiting <= MAX_BACKLOG_BYTES + 64 * 1024
    assert written < size
    assert len(await response.aread()) == size


async def test_a_draining_reader_is_never_stopped(transport: ArgusTransport, serve: Serve) -> None:
    body = b"x" * (3 * MAX_BACKLOG_BYTES)
    wire = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    response = await send(transport, await serve(answering(wire)))
    await asyncio.sleep(0.05)
    trace = await drain(response)
    assert b"".join(piece for _, piece in trace.pieces) == body


@pytest.mark.parametrize("read_by", [drain, httpx2.Response.aread])
async def test_a_body_without_bounds_is_refused(
    serve: Serve, read_by: Callable[[httpx2.Response], Awaitable[object]]
) -> None:
    transport = ArgusTransport(max_body_bytes=100_000)
    response = await send(
        transport, await serve(answering(CHUNKED + b"fffff\r\n" + b"x" * 300_000))
    )
    with pytest.raises(httpx2.RemoteProtocolError, match="larger than 100,000 bytes"):
        await read_by(response)
    assert transport.open_connections == 0
    await transport.aclose()


async def test_a_body_of_single_bytes_is_refused_long_before_its_bytes_are_many(
    serve: Serve,
) -> None:
    async def trickle(visit: Visit) -> None:
        await visit.request()
        await visit.say(CHUNKED)
        while True:
            await visit.say(b"1\r\nx\r\n")
            await asyncio.sleep(0)

    transport = ArgusTransport(max_body_bytes=2_000)
    response = await send(transport, await serve(trickle))
    with pytest.raises(httpx2.RemoteProtocolError, match="larger than 2,000 bytes"):
        await drain(response)
    await transport.aclose()


@pytest.mark.parametrize("wanted", [1, 2, 4])
async def test_draining_calls_back_until_told_to_stop(
    transport: ArgusTransport, serve: Serve, wanted: int
) -> None:
    seen: list[tuple[int, bytes]] = []

    def on_piece(stamp_ns: int, data: bytes) -> bool:
        seen.append((stamp_ns, data))
        return len(seen) < wanted

    trace = await drain(await send(transport, await serve(spell)), on_piece)
    assert [data for _, data in trace.pieces] == LETTERS
    assert seen == trace.pieces[:wanted]


async def test_draining_late_calls_back_for_what_had_come(
    transport: ArgusTransport, serve: Serve
) -> None:
    seen: list[bytes] = []
    response = await send(transport, await serve(spell))
    await asyncio.sleep(0.05)
    await drain(response, lambda _, data: not seen.append(data))  # type: ignore[func-returns-value]
    assert b"".join(seen) == b"abcd"


async def test_draining_works_with_the_reference_too(serve: Serve) -> None:
    seen: list[bytes] = []
    transport = ReferenceTransport()
    response = await send(transport, await serve(spell))
    trace = await drain(response, lambda _, data: not seen.append(data))  # type: ignore[func-returns-value]
    assert seen == [data for _, data in trace.pieces] == LETTERS
    await transport.aclose()


async def test_a_timeout_can_be_moved_when_the_first_piece_comes(
    transport: ArgusTransport, serve: Serve
) -> None:
    response = await send(transport, await serve(spell))
    async with asyncio.timeout(1) as limit:

        def on_piece(stamp_ns: int, data: bytes) -> bool:
            limit.reschedule(None)
            return False

        trace = await drain(response, on_piece)
    assert len(trace.pieces) == 4
    assert limit.when() is None


async def test_a_drained_response_is_closed_and_its_link_kept(
    transport: ArgusTransport, serve: Serve
) -> None:
    response = await send(transport, await serve(keeping(OK + b"Content-Length: 2\r\n\r\nok")))
    await drain(response)
    assert response.is_closed
    assert transport.idle_connections == 1


async def test_three_hundred_streams_at_once_come_whole_and_in_order(
    transport: ArgusTransport, serve: Serve
) -> None:
    peer = await serve(spell)

    async def read(_: int) -> list[bytes]:
        trace = await drain(await send(transport, peer))
        stamps = [stamp_ns for stamp_ns, _ in trace.pieces]
        assert all(one <= next_ for one, next_ in itertools.pairwise(stamps))
        return [data for _, data in trace.pieces]

    bodies = await asyncio.gather(*map(read, range(300)))
    assert {b"".join(body) for body in bodies} == {b"abcd"}
    assert transport.open_connections == 300
