"""Transports that fill a Trace while they carry a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    import httpx2

MAX_BODY_BYTES = 32 * 1024 * 1024


def make_transport(
    tls: ssl.SSLContext | None = None, proxy: str | None = None
) -> httpx2.AsyncBaseTransport:
    """A transport for one client: ours, but httpx2's through a ``proxy`` that itself wants TLS."""
    from providers.wire.proxy import Proxy
    from providers.wire.transport import ArgusTransport

    if proxy is not None and proxy.startswith("https:"):
        from providers.wire.reference import ReferenceTransport

        return ReferenceTransport(tls, proxy)
    between = None if proxy is None else Proxy.of(proxy)
    return ArgusTransport(ssl_context=tls, max_body_bytes=MAX_BODY_BYTES, proxy=between)
