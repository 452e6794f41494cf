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
    """A transport for one client: ours, or httpx2's where a ``proxy`` URL is configured."""
    if proxy is not None:
        from providers.wire.reference import ReferenceTransport

        return ReferenceTransport(tls, proxy)
    from providers.wire.transport import ArgusTransport

    return ArgusTransport(ssl_context=tls, max_body_bytes=MAX_BODY_BYTES)
