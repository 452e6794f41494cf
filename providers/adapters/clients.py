"""SDK clients, one per endpoint, kept with their connections."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from providers.adapters import anthropic_wire, converse_wire, openai_wire
from providers.adapters.deadline import transport_timeouts
from providers.adapters.endpoint import Endpoint
from providers.adapters.refusals import Dialects, refuse_failed_status
from providers.errors import sanitise
from providers.lag import LagMonitor
from providers.measurement import TRACE_KEY, Trace
from providers.wire import make_transport

if TYPE_CHECKING:
    import ssl

    import httpx2

    from providers.adapters.signing import Signer
    from providers.wire.transport import ArgusTransport, Parcel

CLIENT_LIMIT = 256
# Requests kept for each client: monitoring asks hundreds of models of an account in turn, and what
# is pushed out before its next turn need not have been kept at all.
BUILT_LIMIT = 2000
BUILT_BYTES_LIMIT = 65_536
BUILT_BYTES_IN_ALL = 8_000_000
SHOWN_LIMIT = 64
NAME_LIMIT = 200
WIRES: dict[str, Any] = {
    "openai": openai_wire,
    "anthropic": anthropic_wire,
    "converse": converse_wire,
}
TransportFactory = Callable[["ssl.SSLContext"], "httpx2.AsyncBaseTransport"]

# The SDKs offer no way to hand a request its extensions; the request hook below takes it from here.
current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)


@dataclass(slots=True, eq=False)
class Client:
    """An SDK client, the HTTP client under it and the transport under that.

    ``built`` keeps requests as the SDK built them: building one costs it a millisecond, which
    would be lag for every other stream of the loop. ``shown`` keeps what was sanitised.
    """

    sdk: Any
    http: httpx2.AsyncClient
    transport: httpx2.AsyncBaseTransport
    identity: str
    has_signer: bool = False
    leases: int = 0
    is_retired: bool = False
    built: OrderedDict[Hashable, tuple[Parcel, bytes]] = field(default_factory=OrderedDict)
    built_bytes: int = 0
    shown: dict[str, str] = field(default_factory=dict)

    def keep_built(self, key: Hashable, request: httpx2.Request, mark: str = "") -> None:
        from providers.wire.transport import ArgusTransport

        is_small = len(request.content) <= BUILT_BYTES_LIMIT
        is_same = not (self.has_signer or "idempotency-key" in request.headers)
        if isinstance(self.transport, ArgusTransport) and is_small and is_same:
            if key in self.built:
                self._drop_built(key)
            self.built[key] = self.transport.pack(request), mark.encode()
            self.built_bytes += len(request.content)
            while len(self.built) > BUILT_LIMIT or self.built_bytes > BUILT_BYTES_IN_ALL:
                self._drop_built(next(iter(self.built)))

    def _drop_built(self, key: Hashable) -> None:
        parcel, _ = self.built.pop(key)
        self.built_bytes -= len(parcel.request.content)

    async def send_again(
        self, key: Hashable, endpoint: Endpoint, trace: Trace, mark: str = ""
    ) -> httpx2.Response | None:
        """Sends the request kept under ``key`` once more; None when there is none that fits."""
        parcel, old = self.built.get(key, (None, b""))
        if parcel is None or len(old) != len(mark):
            return None
        if old:
            parcel = parcel.replaced(old, mark.encode())
        carry = cast("ArgusTransport", self.transport).carry
        response = await carry(parcel, trace, transport_timeouts(endpoint))
        try:
            await refuse_failed_status(response)
        except BaseException:
            await response.aclose()
            raise
        return response

    def show(self, text: str, secrets: tuple[str, ...]) -> str:
        """A name of the provider's without secrets; most answers bear the same few names."""
        known = self.shown.get(text)
        if known is None:
            known = sanitise(text, secrets, limit=NAME_LIMIT)
            if len(self.shown) < SHOWN_LIMIT and len(text) <= NAME_LIMIT:
                self.shown[text] = known
        return known


class ClientPool:
    """Serves one event loop. The least recently used client goes when ``limit`` is passed.

    ``bias_ms`` and ``spread_ms`` are the calibrated error of this installation; they widen every
    error bar. ``proxy`` carries every exchange but those with this machine itself.
    """

    def __init__(
        self,
        transport_factory: TransportFactory = make_transport,
        limit: int = CLIENT_LIMIT,
        proxy: str | None = None,
    ) -> None:
        self.lag = LagMonitor()
        self.dialects = Dialects()
        self.bias_ms = 0.0
        self.spread_ms = 0.0
        self._transport_factory = transport_factory
        self._limit = limit
        self._proxy = proxy
        self._clients: OrderedDict[tuple[Any, ...], Client] = OrderedDict()
        self._tls: ssl.SSLContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._clients)

    def set_calibration(self, bias_ms: float, spread_ms: float = 0.0) -> None:
        """May be called from any thread."""
        self.bias_ms, self.spread_ms = bias_ms, spread_ms

    @asynccontextmanager
    async def lease(self, endpoint: Endpoint) -> AsyncIterator[Client]:
        """The endpoint's client; it stays open until the lease ends, evicted or not."""
        client, evicted = self._client(endpoint)
        client.leases += 1
        try:
            await self._close_idle(evicted)
            yield client
        finally:
            client.leases -= 1
            if client.is_retired:
                await self._close_idle([client])

    async def close(self) -> None:
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            client.is_retired = True
        await self._close_idle(clients)

    def _client(self, endpoint: Endpoint) -> tuple[Client, list[Client]]:
        self._check_loop()
        key = (endpoint.identity, *endpoint.connection_key)
        known = self._clients.get(key)
        if known is not None:
            self._clients.move_to_end(key)
            return known, []
        endpoint.check_sendable()
        evicted = self._retire(self._outdated(endpoint))
        client = self._clients[key] = self._build(endpoint)
        return client, evicted

    def _outdated(self, endpoint: Endpoint) -> list[tuple[Any, ...]]:
        """Clients of the same account with other credentials, and those above the limit."""
        keys = [
            key
            for key, client in self._clients.items()
            if endpoint.identity and client.identity == endpoint.identity
        ]
        others = [key for key in self._clients if key not in keys]
        return keys + others[: max(len(others) + 1 - self._limit, 0)]

    def _retire(self, keys: list[tuple[Any, ...]]) -> list[Client]:
        retired = [self._clients.pop(key) for key in keys]
        for client in retired:
            client.is_retired = True
        return retired

    async def _close_idle(self, clients: list[Client]) -> None:
        for client in clients:
            if client.leases == 0:
                await client.http.aclose()

    def _build(self, endpoint: Endpoint) -> Client:
        import httpx2

        _quiet_loggers()
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
        if self._proxy is None or endpoint.is_on_this_machine:
            transport = self._transport_factory(self._tls)
        else:
            transport = make_transport(self._tls, self._proxy)
        before: list[Any] = [_hand_over_trace]
        if endpoint.signing is not None:
            before.append(_signed_by(endpoint.signing.signer(), transport))
        http = httpx2.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"request": before, "response": [refuse_failed_status]},
        )
        sdk = WIRES[endpoint.protocol].connect(endpoint, http)
        return Client(
            sdk, http, transport, endpoint.identity, has_signer=endpoint.signing is not None
        )

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise RuntimeError("a client pool serves one event loop only")
        self._loop = loop


def _signed_by(
    signer: Signer, transport: httpx2.AsyncBaseTransport
) -> Callable[[httpx2.Request], Awaitable[None]]:
    async def sign(request: httpx2.Request) -> None:
        await signer.sign(request, transport)

    return sign


async def _hand_over_trace(request: httpx2.Request) -> None:
    trace = current_trace.get()
    if trace is not None:
        request.extensions[TRACE_KEY] = trace


def _quiet_loggers() -> None:
    """Below WARNING these libraries log URLs, which may carry keys, and cost time while it runs."""
    for name in ("httpx2", "httpcore2", "openai", "anthropic"):
        logging.getLogger(name).setLevel(logging.WARNING)
