"""A vendor on loopback: says what it was asked, streams what the case says, refuses as it does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx2

from providers.adapters import ClientPool
from providers.wire import make_transport


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came over the socket; ``url`` has the host that was meant."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a body that has the field."""

    field: str
    status: int
    body: Any


@dataclass(slots=True)
class Vendor:
    """``answers`` are JSON bodies by the beginning of the address; other GETs get ``models``."""

    stream: Sequence[str | bytes]
    models: Any
    refusals: tuple[Refusal, ...] = ()
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    visits: set[asyncio.Task[None]] = field(default_factory=set)

    def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(await _read(head.decode("latin-1"), reader))
                await self._answer(self.asked[-1], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer = next((a for url, a in self.answers.items() if asked.url.startswith(url)), None)
        if answer is not None or asked.method == "GET":
            return _send_json(writer, 200, self.models if answer is None else answer)
        refused = [refusal for refusal in self.refusals if refusal.field in asked.body]
        if refused:
            return _send_json(writer, refused[0].status, refused[0].body)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for block in self.stream:
            data = block if isinstance(block, bytes) else block.encode()
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
        return writer.write(b"0\r\n\r\n")


async def _read(head: str, reader: asyncio.StreamReader) -> Asked:
    first, *lines = head.strip().split("\r\n")
    headers: dict[str, str] = {}
    for name, value in (line.split(": ", 1) for line in lines):
        assert name.lower() not in headers, f"{name} was sent twice"
        headers[name.lower()] = value
    method, target, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    is_form = "form-urlencoded" in headers.get("content-type", "")
    content = dict(parse_qsl(body.decode())) if is_form else json.loads(body or b"null")
    return Asked(method, headers["host"] + target, headers, content)


def _send_json(writer: asyncio.StreamWriter, status: int, body: Any) -> None:
    data = json.dumps(body).encode()
    writer.write(
        b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        % (status, len(data), data)
    )


class Detour(httpx2.AsyncBaseTransport):
    """Our transport with every connection led to the vendor on loopback; the rest stays."""

    def __init__(self, port: int) -> None:
        self._inner = make_transport()
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def vendor_at_work(vendor: Vendor) -> AsyncIterator[ClientPool]:
    """A client pool whose every request arrives at ``vendor``, whatever host it names."""
    server = await asyncio.start_server(vendor.visit, "127.0.0.1", 0)
    vendor.port = server.sockets[0].getsockname()[1]
    pool = ClientPool(transport_factory=lambda _tls: Detour(vendor.port))
    try:
        yield pool
    finally:
        await pool.close()
        server.close()
        await asyncio.wait_for(asyncio.gather(*vendor.visits), 5)


def sse(*events: object, named: bool = False) -> list[str]:
    """Server-sent events; a text goes as it is, ``named`` adds the type as Anthropic does."""
    blocks = []
    for event in events:
        if isinstance(event, str):
            blocks.append(event)
            continue
        head = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
        blocks.append(f"{head}data: {json.dumps(event)}\n\n")
    return blocks


DONE = "data: [DONE]\n\n"
