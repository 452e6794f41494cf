"""Transports that fill a Trace while they carry a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    import httpx2


def make_transport(
    tls: ssl.SSLContext | None = None, proxy: str | None = None
) -> httpx2.AsyncBaseTransport:
    """The transport for one client; ``proxy`` is a URL, given only when one is configured."""
    from providers.wire.reference import ReferenceTransport

    return ReferenceTransport(tls, proxy)
