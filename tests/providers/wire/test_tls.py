from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from providers.measurement import TRACE_KEY
from providers.wire.body import drain
from providers.wire.transport import ArgusTransport, trusting_context
from tests.providers.wire.certificates import Authority
from tests.providers.wire.corpus import CHUNKED, OK
from tests.providers.wire.peer import Peer, Visit, answering, keeping

Serve = Callable[..., Awaitable[Peer]]
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest_asyncio.fixture
async def transport(authority: Authority) -> AsyncIterator[ArgusTransport]:
    transport = ArgusTransport(ssl_context=authority.client_context())
    yield transport
    await transport.aclose()


async def fetch(transport: ArgusTransport, url: str, body: bytes = b"{}") -> httpx2.Response:
    limits = {"connect": 5.0, "read": 5.0, "write": 5.0}
    request = httpx2.Request("POST", url, content=body, extensions={"timeout": limits})
    response = await transport.handle_async_request(request)
    await response.aread()
    return response


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_request_goes_through_tls_and_the_link_is_kept(
    transport: ArgusTransport, authority: Authority, serve: Serve, version: ssl.TLSVersion
) -> None:
    context = authority.server_context("127.0.0.1")
    context.minimum_version = context.maximum_version = version
    peer = await serve(keeping(HELLO), context=context)
    first, second = [await fetch(transport, peer.url) for _ in range(2)]
    assert (first.content, second.content, len(peer.visits)) == (b"hello", b"hello", 1)
    trace, reused = first.extensions[TRACE_KEY], second.extensions[TRACE_KEY]
    assert 0 < trace.tls_ms < (trace.conn1_ns - trace.conn0_ns) / 1e6
    assert trace.conn1_ns <= trace.send_ns
    assert (reused.conn0_ns, reused.tls_ms) == (None, None)


async def test_the_host_name_is_sent_and_only_http_1_1_is_offered(
    transport: ArgusTransport, authority: Authority, serve: Serve
) -> None:
    seen: list[str | None] = []
    context = authority.server_context("localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda _, name, __: seen.append(name)
    peer = await serve(answering(HELLO), context=context, name="localhost")
    response = await fetch(transport, peer.url)
    spoken = peer.visits[0].writer.get_extra_info("ssl_object").selected_alpn_protocol()
    assert (seen, spoken) == (["localhost"], "http/1.1")
    assert response.extensions[TRACE_KEY].dns_ms > 0


@pytest.mark.parametrize(
    ("hosts", "days", "reason"),
    [
        (("other.example",), (-1, 1), "Hostname mismatch|IP address mismatch"),
        (("127.0.0.1",), (-3, -2), "expired"),
        (("127.0.0.1",), (1, 2), "not yet valid"),
    ],
)
async def test_a_certificate_that_does_not_fit_ends_the_connection(
    transport: ArgusTransport,
    authority: Authority,
    serve: Serve,
    hosts: tuple[str],
    days: tuple[int, int],
    reason: str,
) -> None:
    context = authority.server_context(*hosts, from_days=days[0], to_days=days[1])
    peer = await serve(answering(HELLO), context=context)
    with pytest.raises(httpx2.ConnectError, match=reason) as caught:
        await fetch(transport, peer.url)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert ".." not in str(caught.value)
    assert (peer.requests, transport.open_connections) == ([], 0)


async def test_an_unknown_authority_is_not_trusted(authority: Authority, serve: Serve) -> None:
    peer = await serve(answering(HELLO), context=authority.server_context("127.0.0.1"))
    transport = ArgusTransport()
    with pytest.raises(httpx2.ConnectError, match="failed: unable to get local issuer certificate"):
        await fetch(transport, peer.url)
    await transport.aclose()
    assert trusting_context().verify_mode is ssl.CERT_REQUIRED
    assert trusting_context().check_hostname is True


async def test_a_server_that_speaks_no_tls_is_a_tls_failure(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.say(HELLO)
        await visit.reader.read()

    peer = await serve(script)
    with pytest.raises(httpx2.ConnectError) as caught:
        await fetch(transport, peer.url.replace("http:", "https:"))
    assert isinstance(caught.value.__cause__, ssl.SSLError)


async def test_a_server_that_leaves_the_handshake_is_a_tls_failure(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.reader.read(100)

    peer = await serve(script)
    with pytest.raises(httpx2.ConnectError) as caught:
        await fetch(transport, peer.url.replace("http:", "https:"))
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_handshake_without_an_answer_is_a_connect_timeout(
    transport: ArgusTransport, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await asyncio.sleep(3600)

    url = (await serve(script)).url.replace("http:", "https:")
    request = httpx2.Request("GET", url, extensions={"timeout": {"connect": 0.05}})
    with pytest.raises(httpx2.ConnectTimeout):
        await transport.handle_async_request(request)
    assert transport.open_connections == 0


async def test_large_bodies_pass_both_ways(
    transport: ArgusTransport, authority: Authority, serve: Serve
) -> None:
    body = bytes(range(256)) * 12_000
    wire = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    peer = await serve(answering(wire), context=authority.server_context("127.0.0.1"))
    response = await fetch(transport, peer.url, body)
    assert response.content == body
    assert peer.requests[0].endswith(body)


async def test_an_end_without_goodbye_ends_a_body_that_the_close_delimits(
    transport: ArgusTransport, authority: Authority, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(OK + b"\r\nto the end")
        await asyncio.sleep(0.02)
        visit.writer.get_extra_info("socket").shutdown(2)

    peer = await serve(script, context=authority.server_context("127.0.0.1"))
    assert (await fetch(transport, peer.url)).content == b"to the end"


async def test_a_chunked_body_under_tls_keeps_its_pieces(
    transport: ArgusTransport, authority: Authority, serve: Serve
) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        for wire in (CHUNKED, b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"):
            await visit.say(wire)
            await asyncio.sleep(0.01)

    peer = await serve(script, context=authority.server_context("127.0.0.1"))
    request = httpx2.Request("GET", peer.url)
    trace = await drain(await transport.handle_async_request(request))
    assert [piece for _, piece in trace.pieces] == [b"a", b"b"]
    assert (trace.pieces[1][0] - trace.pieces[0][0]) / 1e6 > 5


async def test_an_idle_tls_link_the_server_closed_is_replaced(
    transport: ArgusTransport, authority: Authority, serve: Serve
) -> None:
    peer = await serve(answering(HELLO), context=authority.server_context("127.0.0.1"))
    await fetch(transport, peer.url)
    await asyncio.sleep(0.03)
    assert transport.idle_connections == 0
    assert (await fetch(transport, peer.url)).content == b"hello"
