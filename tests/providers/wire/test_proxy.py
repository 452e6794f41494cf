"""Through a proxy, when there is one: handed over whole, or through a tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from providers.measurement import TRACE_KEY, Trace
from providers.wire.proxy import Proxy
from providers.wire.reference import ReferenceTransport
from providers.wire.transport import ArgusTransport
from tests.providers.wire.certificates import Authority
from tests.providers.wire.corpus import OK
from tests.providers.wire.peer import Peer, Script, Visit, answering, keeping

Serve = Callable[..., Awaitable[Peer]]
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
LOGIN = b"Proxy-Authorization: Basic am9lOnBAc3M="


def tunnel_to(port: int, answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> Script:
    """A proxy that leads every tunnel to one port of this machine."""

    async def script(visit: Visit) -> None:
        visit.peer.requests.append(await visit.reader.readuntil(b"\r\n\r\n"))
        await visit.say(answer)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(visit.reader, writer), carry(reader, visit.writer))

    return script


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def fetch(url: str, proxy: str, authority: Authority | None = None) -> list[httpx2.Response]:
    """The same request twice."""
    context = authority.client_context() if authority else None
    transport = ArgusTransport(ssl_context=context, proxy=Proxy.of(proxy))
    timeout = {"connect": 5.0, "read": 5.0}
    responses = []
    try:
        for _ in range(2):
            request = httpx2.Request("POST", url, content=b"{}", extensions={"timeout": timeout})
            responses.append(await transport.handle_async_request(request))
            await responses[-1].aread()
    finally:
        await transport.aclose()
    return responses


async def test_a_request_without_tls_is_handed_over_with_its_whole_address(serve: Serve) -> None:
    peer = await serve(keeping(HELLO))

    responses = await fetch(
        "http://llm.example:81/v1?x=1", f"http://joe:p%40ss@127.0.0.1:{peer.port}"
    )

    assert [response.content for response in responses] == [b"hello", b"hello"]
    assert len(peer.visits) == 1
    head = peer.requests[0].split(b"\r\n")
    assert head[0] == b"POST http://llm.example:81/v1?x=1 HTTP/1.1"
    assert b"Host: llm.example:81" in head
    assert LOGIN in head


async def test_tls_goes_through_a_tunnel_that_is_kept(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    peer = await serve(keeping(HELLO), context=authority.server_context("llm.example"))
    proxy = await serve(tunnel_to(peer.port))

    address = f"http://joe:p%40ss@127.0.0.1:{proxy.port}"
    first, second = await fetch("https://llm.example/v1", address, authority)

    assert (first.content, second.content) == (b"hello", b"hello")
    assert len(proxy.visits) == len(peer.visits) == 1
    head = proxy.requests[0].split(b"\r\n")
    assert head[0] == b"CONNECT llm.example:443 HTTP/1.1"
    assert LOGIN in head
    assert b"Proxy-Authorization" not in peer.requests[0]
    trace = first.extensions[TRACE_KEY]
    assert trace.conn0_ns < trace.conn1_ns <= trace.send_ns
    assert 0 < trace.tls_ms < (trace.conn1_ns - trace.conn0_ns) / 1e6
    assert second.extensions[TRACE_KEY].conn0_ns is None


async def test_an_ipv6_address_stands_in_brackets(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    peer = await serve(keeping(HELLO), context=authority.server_context("::1"))
    proxy = await serve(tunnel_to(peer.port))

    await fetch("https://[::1]:8443/v1", f"http://127.0.0.1:{proxy.port}", authority)

    assert proxy.requests[0].startswith(b"CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n", "it answered 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", "it answered 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "it does not speak HTTP"),
        (b"HTTP/1.1 200 Connected\r\n\r\nand more", "spoke before"),
        (b"HTTP/1.1 200 Conn", "opened no tunnel"),
        (b"", "opened no tunnel"),
        (b"x" * 70_000, "opened no tunnel"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_the_cause(
    serve: Serve, answer: bytes, said: str
) -> None:
    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(answer)

    proxy = await serve(script)

    with pytest.raises(httpx2.ProxyError, match=said):
        await fetch("https://llm.example/v1", f"http://joe:p%40ss@127.0.0.1:{proxy.port}")


async def test_a_proxy_that_is_not_there_is_the_cause() -> None:
    with pytest.raises(httpx2.ProxyError, match="cannot be reached: Connection refused"):
        await fetch("https://llm.example/v1", "http://127.0.0.1:1")


async def test_a_proxy_that_says_nothing_is_a_connect_timeout(serve: Serve) -> None:
    async def script(visit: Visit) -> None:
        await asyncio.sleep(3600)

    proxy = await serve(script)
    transport = ArgusTransport(proxy=Proxy.of(f"http://127.0.0.1:{proxy.port}"))
    request = httpx2.Request("GET", "https://llm.example", extensions={"timeout": {"connect": 0.1}})

    with pytest.raises(httpx2.ConnectTimeout):
        await transport.handle_async_request(request)
    await transport.aclose()


async def ask_through_tls(port: int, trust: ssl.SSLContext, trace: Trace) -> httpx2.Response:
    transport = ReferenceTransport(trust, f"https://127.0.0.1:{port}")
    given = {TRACE_KEY: trace, "timeout": {"connect": 5.0, "read": 5.0}}
    request = httpx2.Request("POST", "https://llm.example/v1", content=b"{}", extensions=given)
    try:
        response = await transport.handle_async_request(request)
        await response.aread()
    finally:
        await transport.aclose()
    return response


async def test_through_a_proxy_with_tls_the_stamps_are_those_of_the_request_itself(
    serve: Serve, tmp_path: Path
) -> None:
    authority, trace = Authority(tmp_path), Trace()
    peer = await serve(keeping(HELLO), context=authority.server_context("llm.example"))
    proxy = await serve(tunnel_to(peer.port), context=authority.server_context("127.0.0.1"))

    response = await ask_through_tls(proxy.port, authority.client_context(), trace)

    assert response.content == b"hello"
    assert (trace.conn1_ns or 0) < (trace.send_ns or 0) < (trace.hdr_ns or 0)


async def test_behind_a_proxy_with_tls_a_provider_nobody_vouches_for_has_not_answered(
    serve: Serve, tmp_path: Path
) -> None:
    authority, stranger, trace = Authority(tmp_path), Authority(tmp_path), Trace()
    peer = await serve(keeping(HELLO), context=stranger.server_context("llm.example"))
    proxy = await serve(tunnel_to(peer.port), context=authority.server_context("127.0.0.1"))

    with pytest.raises(httpx2.ConnectError):
        await ask_through_tls(proxy.port, authority.client_context(), trace)

    assert (trace.send_ns, trace.hdr_ns) == (None, None)


async def test_a_proxy_with_tls_that_opens_no_tunnel_is_the_cause(
    serve: Serve, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    refusal = b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n"
    proxy = await serve(answering(refusal), context=authority.server_context("127.0.0.1"))

    with pytest.raises(httpx2.ProxyError, match=r"to llm\.example: it answered 407"):
        await ask_through_tls(proxy.port, authority.client_context(), Trace())


@pytest.mark.parametrize("url", ["https://proxy:3128", "socks5://proxy", "http://", "proxy:3128"])
def test_what_is_no_http_proxy_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="begins with http://"):
        Proxy.of(url)


def test_a_proxy_shows_no_login() -> None:
    assert "am9lO" not in repr(Proxy.of("http://joe:p%40ss@proxy:3128"))
