from __future__ import annotations

import ssl

import httpx2
import pytest

from providers.measurement import TRACE_KEY, Trace
from providers.wire import make_transport
from providers.wire.reference import ReferenceTransport
from providers.wire.transport import ArgusTransport
from tests.providers.raw_server import HEAD, make_status, raw_server

KEPT_OPEN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def fetch(client: httpx2.AsyncClient, url: str) -> Trace:
    response = await client.get(url)
    trace: Trace = response.extensions[TRACE_KEY]
    return trace


async def test_stamps_are_in_the_order_of_the_wire() -> None:
    async with (
        raw_server([HEAD, b"one", 0.03, b"two"]) as server,
        httpx2.AsyncClient(transport=ReferenceTransport()) as client,
    ):
        trace = await fetch(client, server.url)

    stamps = [trace.conn0_ns, trace.conn1_ns, trace.send_ns, trace.hdr_ns]
    stamps += [at_ns for at_ns, _ in trace.pieces] + [trace.end_ns]
    assert None not in stamps
    assert stamps == sorted(stamps)  # type: ignore[type-var]
    assert b"".join(piece for _, piece in trace.pieces) == b"onetwo"
    assert trace.pieces[-1][0] - trace.pieces[0][0] > 20_000_000
    assert trace.status == 200


async def test_a_reused_connection_has_no_connect_stamps() -> None:
    async with (
        raw_server([KEPT_OPEN]) as server,
        httpx2.AsyncClient(transport=ReferenceTransport()) as client,
    ):
        await fetch(client, server.url)
        trace = await fetch(client, server.url)

    assert server.connections == 1
    assert (trace.conn0_ns, trace.conn1_ns) == (None, None)


async def test_the_callers_trace_is_the_one_that_is_filled() -> None:
    mine = Trace(sched_ns=7)
    async with (
        raw_server([KEPT_OPEN]) as server,
        httpx2.AsyncClient(transport=ReferenceTransport()) as client,
    ):
        response = await client.get(server.url, extensions={TRACE_KEY: mine})

    assert response.extensions[TRACE_KEY] is mine
    assert mine.send_ns is not None


async def test_redirects_and_environment_proxies_are_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with (
        raw_server(make_status(302, {}, Location="http://127.0.0.1:1/")) as server,
        httpx2.AsyncClient(transport=ReferenceTransport()) as client,
    ):
        trace = await fetch(client, server.url)

    assert trace.status == 302


async def test_a_configured_proxy_carries_the_request() -> None:
    async with (
        raw_server([KEPT_OPEN]) as proxy,
        httpx2.AsyncClient(transport=make_transport(None, proxy.url)) as client,
    ):
        await fetch(client, "http://llm.example/v1/models")

    assert proxy.received[0].target == "http://llm.example/v1/models"


@pytest.mark.parametrize("proxy", [None, "http://proxy.example:3128", "https://proxy.example"])
async def test_only_a_proxy_that_wants_tls_itself_takes_another_transport(
    proxy: str | None,
) -> None:
    transport = make_transport(ssl.create_default_context(), proxy)

    is_reference = proxy is not None and proxy.startswith("https:")
    assert isinstance(transport, ReferenceTransport if is_reference else ArgusTransport)
    await transport.aclose()
