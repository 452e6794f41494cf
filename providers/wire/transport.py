"""ArgusLM's own HTTP/1.1 transport: what the probe waits for is the wire, not the client.

It speaks HTTP/1.1 only, follows no redirect, uses no proxy but the one it is given and verifies
every certificate.
A response with a content encoding passes through as it came, in the stream (httpx2 decodes it
there) and in ``Trace.pieces``: ask for ``accept-encoding: identity`` to read the pieces directly.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import httpx2

from providers.measurement import TRACE_KEY, Trace
from providers.wire import kernel_stamps
from providers.wire.body import BODY_KEY, ResponseBody
from providers.wire.dial import Resolver, dial
from providers.wire.exchange import Exchange, Timeouts
from providers.wire.link import Link
from providers.wire.origin import DEFAULT_PORTS, Origin
from providers.wire.pool import Pool
from providers.wire.proxy import Proxy
from providers.wire.request import RequestBytes, compose

# True in the extensions of request and response when a dead pooled link made it go out twice.
RESENT_KEY = "arguslm.resent"

MAX_BODY_BYTES = 64 * 1024 * 1024
# A close that crossed our request on the way comes within a round trip. A later one is what the
# server did with the request, and asking again would hide it.
STILLBORN_S = 2.0


@cache
def trusting_context() -> ssl.SSLContext:
    """The trust of httpx2 itself: the system's authorities, or those of ``SSL_CERT_FILE``."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request ready for the wire; one whose body is at hand can be sent many times."""

    request: httpx2.Request
    origin: Origin
    method: str
    outgoing: RequestBytes

    def replaced(self, old: bytes, new: bytes) -> Parcel:
        """With other bytes of the same length in the body, at the first place they stand."""
        head, _, body = self.outgoing.start.partition(b"\r\n\r\n")
        start = head + b"\r\n\r\n" + body.replace(old, new, 1)
        return replace(self, outgoing=replace(self.outgoing, start=start))


class ArgusTransport(httpx2.AsyncBaseTransport):
    """One pool for one event loop.

    ``max_connections`` is a guard against runaway sockets, not a concurrency limit. The trace of a
    request is in ``request.extensions[TRACE_KEY]`` even when it fails. ``max_body_bytes`` bounds
    what a trace keeps.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 10_000,
        idle_expiry_s: float = 30.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        proxy: Proxy | None = None,
    ) -> None:
        self._proxy = proxy
        self._ssl_context = ssl_context
        self._pool = Pool(max_links=max_connections, idle_expiry_s=idle_expiry_s)
        self._resolver = Resolver()
        self._max_body_bytes = max_body_bytes
        self._exchanges: dict[Exchange, Origin] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._stamping = kernel_stamps.keep_enabled()

    @property
    def open_connections(self) -> int:
        return self._pool.open_links

    @property
    def idle_connections(self) -> int:
        return self._pool.idle_links

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        trace: Trace = request.extensions.setdefault(TRACE_KEY, Trace())
        return await self.carry(self.pack(request), trace, Timeouts.of(request), request.extensions)

    def pack(self, request: httpx2.Request) -> Parcel:
        """Raises what must not be put on the wire: LocalProtocolError, UnsupportedProtocol."""
        origin = _origin(request.url)
        is_for_proxy = self._proxy is not None and origin.scheme == "http"
        outgoing = compose(request, self._proxy if is_for_proxy else None)
        return Parcel(request, origin, request.method, outgoing)

    async def carry(
        self,
        parcel: Parcel,
        trace: Trace,
        timeouts: Timeouts,
        extensions: dict[str, Any] | None = None,
    ) -> httpx2.Response:
        """Sends what was packed, as often as one likes; ``extensions`` get what became of it."""
        self._bind()
        marks: dict[str, Any] = {} if extensions is None else extensions
        exchange = await self._carry(parcel, trace, timeouts, marks)
        parser = exchange.parser
        body = ResponseBody(exchange)
        return httpx2.Response(
            trace.status or 0,
            headers=parser.headers,
            stream=body,
            request=parcel.request,
            extensions={
                "http_version": parser.http_version,
                "reason_phrase": parser.reason,
                TRACE_KEY: trace,
                BODY_KEY: body,
                RESENT_KEY: RESENT_KEY in marks,
            },
        )

    async def aclose(self) -> None:
        self._closed = True
        for exchange in list(self._exchanges):
            exchange.abandon("The transport was closed.")
        self._pool.close()
        self._stamping.close()

    async def _carry(
        self, parcel: Parcel, trace: Trace, timeouts: Timeouts, marks: dict[str, Any]
    ) -> Exchange:
        """Once more on a new link when an idle one turns out to have been dead already."""
        origin, outgoing = parcel.origin, parcel.outgoing
        link = self._pool.take_idle(origin) or await self._idle_link(origin, timeouts, fresh=False)
        if link is not None:
            exchange = self._start(link, origin, parcel.method, trace, timeouts)
            try:
                return await self._run(exchange, outgoing)
            except (httpx2.NetworkError, httpx2.RemoteProtocolError):
                if outgoing.rest is not None or self._closed or not _is_stillborn(exchange):
                    raise
            marks[RESENT_KEY] = True
            trace.end_ns = None
            await self._idle_link(origin, timeouts, fresh=True)
        link = await self._new_link(origin, timeouts, trace)
        return await self._run(self._start(link, origin, parcel.method, trace, timeouts), outgoing)

    def _start(
        self, link: Link, origin: Origin, method: str, trace: Trace, timeouts: Timeouts
    ) -> Exchange:
        exchange = Exchange(link, method, trace, timeouts, self._max_body_bytes, self._ended)
        self._exchanges[exchange] = origin
        return exchange

    async def _run(self, exchange: Exchange, outgoing: RequestBytes) -> Exchange:
        try:
            await exchange.send(outgoing)
            await exchange.head()
        except BaseException:
            exchange.abandon()
            raise
        return exchange

    def _ended(self, exchange: Exchange) -> None:
        origin = self._exchanges.pop(exchange)
        if exchange.reusable and not self._closed:
            self._pool.release(origin, exchange.link)
        else:
            self._pool.discard(exchange.link)

    async def _idle_link(self, origin: Origin, timeouts: Timeouts, *, fresh: bool) -> Link | None:
        try:
            async with asyncio.timeout(timeouts.pool):
                return await self._pool.acquire(origin, fresh=fresh)
        except TimeoutError:
            raise httpx2.PoolTimeout("No connection became free in time.") from None

    async def _new_link(self, origin: Origin, timeouts: Timeouts, trace: Trace) -> Link:
        try:
            return await self._dial(origin, timeouts, trace)
        except BaseException:
            self._pool.discard(None)
            raise

    async def _dial(self, origin: Origin, timeouts: Timeouts, trace: Trace) -> Link:
        context = self._context() if origin.scheme == "https" else None
        try:
            async with asyncio.timeout(timeouts.connect):
                return await dial(origin, self._resolver, context, trace, self._proxy)
        except TimeoutError as exc:
            raise httpx2.ConnectTimeout(f"{origin.host} did not accept a connection.") from exc
        except socket.gaierror as exc:
            reason = f"The host name {origin.host} could not be resolved"
            raise httpx2.ConnectError(f"{reason}: {exc.strerror}.") from exc
        except ssl.SSLError as exc:
            raise httpx2.ConnectError(
                f"TLS with {origin.host} failed: {_tls_reason(exc)}."
            ) from exc
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise httpx2.ConnectError(f"No connection to {origin.host}: {reason}.") from exc

    def _context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = trusting_context()
        self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context

    def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise RuntimeError("The transport is closed.")
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("A transport belongs to the event loop it was first used on.")


def _is_stillborn(exchange: Exchange) -> bool:
    """Whether the link was dead before the request could reach the server."""
    sent_ns, end_ns = exchange.trace.send_ns, exchange.trace.end_ns
    if exchange.answered or sent_ns is None or end_ns is None:
        return False
    return end_ns - sent_ns < STILLBORN_S * 1e9


def _origin(url: httpx2.URL) -> Origin:
    if url.scheme not in DEFAULT_PORTS:
        raise httpx2.UnsupportedProtocol(f"The scheme {url.scheme!r} is not supported.")
    if not url.host:
        raise httpx2.UnsupportedProtocol("The URL names no host.")
    host = url.raw_host.decode("ascii").strip("[]")
    return Origin(url.scheme, host, url.port or DEFAULT_PORTS[url.scheme])


def _tls_reason(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc.verify_message.rstrip(".")
    return exc.reason or str(exc)
