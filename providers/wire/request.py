"""The bytes of an HTTP/1.1 request (RFC 9112, section 3)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import httpx2

from providers.wire.proxy import Proxy

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_VALUE = re.compile(rb"[^\x00\r\n]*")


@dataclass(frozen=True, slots=True)
class RequestBytes:
    """``start`` is the head, with the whole body when that is known; ``rest`` the streamed body."""

    start: bytes
    rest: AsyncGenerator[bytes, None] | None
    closes: bool


def compose(request: httpx2.Request, proxy: Proxy | None = None) -> RequestBytes:
    """Raises ``httpx2.LocalProtocolError`` for what must not be put on the wire.

    A request for a ``proxy`` names the whole address (RFC 9112, section 3.2.2).
    """
    body = request.read() if isinstance(request.stream, httpx2.ByteStream) else None
    fields = list(request.headers.raw)
    names = {name.lower(): value for name, value in fields}
    if b"host" not in names:
        fields.insert(0, (b"Host", request.url.netloc))
    if body is None and not names.keys() & {b"content-length", b"transfer-encoding"}:
        fields.append((b"Transfer-Encoding", b"chunked"))
        names[b"transfer-encoding"] = b"chunked"
    closes = b"close" in names.get(b"connection", b"").lower()
    target = request.url.raw_path
    if proxy is not None:
        target = b"%b://%b%b" % (request.url.raw_scheme, request.url.netloc, target)
        fields += proxy.headers
    head = _head(request.method.encode("ascii"), target, fields)
    chunked = names.get(b"transfer-encoding", b"").lower() == b"chunked"
    length = None if chunked else _length(names.get(b"content-length"))
    if body is None:
        stream = _chunks(request) if chunked else _counted(request, length or 0)
        return RequestBytes(head, stream, closes)
    if chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif len(body) != (length or 0):
        raise httpx2.LocalProtocolError("The request body is not as long as its Content-Length.")
    return RequestBytes(head + body, None, closes)


def _head(method: bytes, target: bytes, fields: list[tuple[bytes, bytes]]) -> bytes:
    if _TOKEN.fullmatch(method) is None or _TARGET.fullmatch(target) is None:
        raise httpx2.LocalProtocolError("The request line holds characters HTTP does not allow.")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in fields:
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise httpx2.LocalProtocolError("A request header holds characters HTTP forbids.")
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit():
        raise httpx2.LocalProtocolError("The Content-Length of the request is malformed.")
    return int(value)


async def _parts(request: httpx2.Request) -> AsyncGenerator[bytes, None]:
    if not isinstance(request.stream, httpx2.AsyncByteStream):
        raise httpx2.LocalProtocolError("An asynchronous transport cannot send a sync body.")
    async for part in request.stream:
        if part:
            yield part


async def _chunks(request: httpx2.Request) -> AsyncGenerator[bytes, None]:
    async for part in _parts(request):
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


async def _counted(request: httpx2.Request, length: int) -> AsyncGenerator[bytes, None]:
    async for part in _parts(request):
        length -= len(part)
        if length < 0:
            break
        yield part
    if length:
        raise httpx2.LocalProtocolError("The request body is not as long as its Content-Length.")
