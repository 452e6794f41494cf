"""An HTTP proxy between us and the provider (RFC 9110, section 9.3.6).

A request without TLS is handed to it whole, with the full address; for TLS it opens a tunnel,
and what goes through that is between us and the provider.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import httpx2

from providers.wire.origin import DEFAULT_PORTS, Origin

MAX_HEAD_BYTES = 64 * 1024
_ANSWER = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")


@dataclass(frozen=True, slots=True)
class Proxy:
    origin: Origin
    login: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Proxy:
        """Raises ValueError for what is no http:// address; TLS to the proxy is not ours."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("The address of a proxy begins with http:// and names a host.")
        origin = Origin("http", parts.hostname, parts.port or DEFAULT_PORTS["http"])
        if parts.username is None:
            return cls(origin)
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(origin, b"Basic " + base64.b64encode(login.encode()))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"Proxy-Authorization", self.login)] if self.login else []

    async def tunnel(self, sock: socket.socket, origin: Origin) -> None:
        """Makes the connected socket lead to ``origin``. Raises ``httpx2.ProxyError``."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, self._wish(origin))
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = await loop.sock_recv(sock, 4096)
            answer += part
            if not part or len(answer) > MAX_HEAD_BYTES:
                raise httpx2.ProxyError(f"The proxy opened no tunnel to {origin.host}.")
        found = _ANSWER.match(answer)
        status = int(found[1]) if found else 0
        if not 200 <= status < 300:
            said = f"it answered {status}" if found else "it does not speak HTTP"
            raise httpx2.ProxyError(f"The proxy opened no tunnel to {origin.host}: {said}.")
        if not answer.endswith(b"\r\n\r\n"):
            raise httpx2.ProxyError("The proxy spoke before the provider was asked.")

    def _wish(self, origin: Origin) -> bytes:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        place = f"{host}:{origin.port}".encode("ascii")
        lines = [b"CONNECT %b HTTP/1.1" % place, b"Host: %b" % place]
        lines += [b"%b: %b" % pair for pair in self.headers]
        return b"\r\n".join([*lines, b"", b""])
