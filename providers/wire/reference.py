"""httpx2's own transport with a Trace: the reference our transport is compared with.

It stamps after the library has handed the bytes over, so its stamps include the library's work.
It also carries requests through proxies.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from providers.measurement import TRACE_KEY, Trace, now_ns
from providers.wire import MAX_BODY_BYTES


class ReferenceTransport(httpx2.AsyncBaseTransport):
    """One connection pool: HTTP/1.1, no retries, no redirects, no proxy but ``proxy``."""

    def __init__(self, verify: ssl.SSLContext | None = None, proxy: str | None = None) -> None:
        context = verify or httpx2.create_ssl_context()
        self._inner = httpx2.AsyncHTTPTransport(
            verify=context,
            trust_env=False,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
            proxy=_proxy_of(proxy, context) if proxy else None,
            retries=0,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        trace = request.extensions.setdefault(TRACE_KEY, Trace())
        request.extensions["trace"] = _Observer(trace)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.ProxyError as exc:
            sentence = f"The proxy opened no tunnel to {request.url.host}: it answered {exc}."
            raise httpx2.ProxyError(sentence) from exc
        trace.status = response.status_code
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_StampedStream(response.stream, trace),
            extensions={**response.extensions, TRACE_KEY: trace},
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


def _proxy_of(url: str, context: ssl.SSLContext) -> httpx2.Proxy:
    """Its certificate is judged by the same authorities as those of the providers."""
    return httpx2.Proxy(url, ssl_context=context if url.startswith("https:") else None)


class _Observer:
    """httpcore2's ``trace`` extension: called around every step it takes.

    A tunnel is asked for by a request of its own, whose stamps are not the exchange's.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._tls0_ns: int | None = None
        self._is_tunnelling = False

    async def __call__(self, step: str, info: dict[str, Any]) -> None:
        at_ns, trace = now_ns(), self._trace
        match step.split(".", 1)[1]:
            case "connect_tcp.started" if trace.conn0_ns is None:
                trace.conn0_ns = at_ns
            case "connect_tcp.complete":
                trace.conn1_ns = at_ns
            case "start_tls.started":
                self._tls0_ns = at_ns
            case "start_tls.complete":
                trace.conn1_ns = at_ns
                trace.tls_ms = None if self._tls0_ns is None else (at_ns - self._tls0_ns) / 1e6
            case "send_request_headers.started":
                self._is_tunnelling = info["request"].method == b"CONNECT"
                trace.send_ns = None if self._is_tunnelling else at_ns
            case "receive_response_headers.complete" if not self._is_tunnelling:
                trace.hdr_ns = at_ns


class _StampedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, trace: Trace) -> None:
        self._inner = inner
        self._trace = trace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = MAX_BODY_BYTES
        async for piece in self._inner:
            self._trace.pieces.append((now_ns(), piece))
            room -= len(piece)
            if room < 0:
                raise httpx2.RemoteProtocolError("The response body is larger than 32 MiB.")
            yield piece
        self._trace.end_ns = now_ns()

    async def aclose(self) -> None:
        await self._inner.aclose()
