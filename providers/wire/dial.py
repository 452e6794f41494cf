"""From a host name to a ready link: DNS, TCP and TLS, each with its own time in the trace."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import os
import socket
import ssl
from typing import Any

import httpx2

from providers.measurement import Trace, now_ns
from providers.wire.link import Link, TlsLink
from providers.wire.origin import Origin
from providers.wire.proxy import Proxy

# RFC 8305, section 5: head start of one address over the next.
ATTEMPT_DELAY_S = 0.25

Address = tuple[int, tuple[Any, ...]]


class Resolver:
    """Name lookups, one at a time per name: streams that start together ask once."""

    def __init__(self) -> None:
        self._lookups: dict[Origin, asyncio.Task[list[Address]]] = {}

    async def addresses(self, origin: Origin) -> list[Address]:
        """In the order to try them. Raises ``socket.gaierror``."""
        lookup = self._lookups.get(origin)
        if lookup is None:
            lookup = asyncio.create_task(_lookup(origin))
            self._lookups[origin] = lookup
            lookup.add_done_callback(lambda task: self._forget(origin, task))
        return await asyncio.shield(lookup)

    def _forget(self, origin: Origin, task: asyncio.Task[list[Address]]) -> None:
        del self._lookups[origin]
        if not task.cancelled():
            task.exception()  # marks it seen when every asker has gone


async def dial(
    origin: Origin,
    resolver: Resolver,
    context: ssl.SSLContext | None,
    trace: Trace,
    proxy: Proxy | None = None,
) -> Link:
    """A ready link; raises the ``OSError`` of the step that failed (gaierror, SSLError, ...), or
    ``httpx2.ProxyError`` when it was the proxy's."""
    loop = asyncio.get_running_loop()
    trace.conn0_ns = now_ns()
    if proxy is None:
        sock = await _reach(origin, resolver, trace)
    else:
        sock = await _through(proxy, origin, resolver, trace)
    if context is None:
        link = Link(loop, sock)
    else:
        link = await _secure(loop, sock, context, origin.host, trace)
    trace.conn1_ns = now_ns()
    return link


async def _reach(origin: Origin, resolver: Resolver, trace: Trace) -> socket.socket:
    if _is_literal(origin.host):
        addresses = _numeric_addresses(origin)
    else:
        began_ns = now_ns()
        addresses = await resolver.addresses(origin)
        trace.dns_ms = (now_ns() - began_ns) / 1e6
    return await _connect_first(asyncio.get_running_loop(), addresses)


async def _through(proxy: Proxy, origin: Origin, resolver: Resolver, trace: Trace) -> socket.socket:
    try:
        sock = await _reach(proxy.origin, resolver, trace)
    except OSError as exc:
        # asyncio puts the address in the place of the reason; a lookup has numbers of its own.
        reason = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
        raise httpx2.ProxyError(f"The proxy cannot be reached: {reason}.") from exc
    if origin.scheme == "http":
        return sock
    try:
        await proxy.tunnel(sock, origin)
    except BaseException as exc:
        sock.close()
        if isinstance(exc, OSError):
            raise httpx2.ProxyError("The proxy broke the connection.") from exc
        raise
    return sock


async def _secure(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    context: ssl.SSLContext,
    server_name: str,
    trace: Trace,
) -> Link:
    started_ns = now_ns()
    link = TlsLink(loop, sock, context, server_name)
    try:
        await link.handshake()
    except BaseException:
        link.close()
        raise
    trace.tls_ms = (now_ns() - started_ns) / 1e6
    return link


def _is_literal(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def _numeric_addresses(origin: Origin) -> list[Address]:
    found = socket.getaddrinfo(
        origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )
    return [(int(family), address) for family, _, _, _, address in found]


async def _lookup(origin: Origin) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:
        raise socket.gaierror(socket.EAI_NONAME, "The host name is not valid") from exc
    return by_turns([(int(family), address) for family, _, _, _, address in found])


def by_turns(addresses: list[Address]) -> list[Address]:
    """The families take turns, the preferred one first (RFC 8305, section 4)."""
    preferred = addresses[0][0]
    same = [item for item in addresses if item[0] == preferred]
    other = [item for item in addresses if item[0] != preferred]
    turns = itertools.chain.from_iterable(itertools.zip_longest(same, other))
    return [item for item in turns if item is not None]


async def _connect_first(
    loop: asyncio.AbstractEventLoop, addresses: list[Address]
) -> socket.socket:
    """Happy eyeballs (RFC 8305): staggered attempts, the first that connects wins."""
    if len(addresses) == 1:
        return await _connect(loop, addresses[0])
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    waiting = list(addresses)
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(loop.create_task(_connect(loop, waiting.pop(0))))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=ATTEMPT_DELAY_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            sock = _first_connected(done, errors)
            if sock is not None:
                return sock
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_discard)
            attempt.cancel()
    raise errors[0]


def _first_connected(
    done: set[asyncio.Task[socket.socket]], errors: list[OSError]
) -> socket.socket | None:
    winner: socket.socket | None = None
    for attempt in done:
        try:
            sock = attempt.result()
        except OSError as exc:
            errors.append(exc)
            continue
        if winner is None:
            winner = sock
        else:
            sock.close()
    return winner


def _discard(attempt: asyncio.Task[socket.socket]) -> None:
    """A loser may have connected in the same turn of the loop that cancelled it."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _connect(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    family, sockaddr = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await loop.sock_connect(sock, sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock
