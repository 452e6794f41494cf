"""A server that does with the socket exactly what a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Script = Callable[["Visit"], Awaitable[None]]


@dataclass(slots=True)
class Visit:
    """One connection, seen from the server."""

    peer: Peer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """The next request with its body; IncompleteReadError when the client is gone."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        body = b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                body = await self.reader.readexactly(int(line.split(b":")[1]))
            if line == b"transfer-encoding: chunked":
                body = await self.reader.readuntil(b"0\r\n\r\n")
        self.peer.requests.append(head + body)
        return head + body

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass(slots=True)
class Peer:
    server: asyncio.Server
    port: int
    scheme: str
    host: str
    requests: list[bytes] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/v1/chat?x=1"

    @classmethod
    async def start(
        cls,
        script: Script,
        host: str,
        context: ssl.SSLContext | None = None,
        name: str | None = None,
    ) -> Peer:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            peer.tasks.add(task)
            visit = Visit(peer, reader, writer)
            peer.visits.append(visit)
            gone = (asyncio.IncompleteReadError, OSError, asyncio.CancelledError)
            with contextlib.suppress(*gone):
                await script(visit)
            writer.close()
            with contextlib.suppress(*gone):
                await writer.wait_closed()

        server = await asyncio.start_server(accept, host, 0, ssl=context, backlog=1000)
        port = server.sockets[0].getsockname()[1]
        shown = name or (f"[{host}]" if ":" in host else host)
        peer = cls(server, port, "https" if context else "http", shown)
        return peer

    async def visited(self) -> int:
        """Connections accepted, after those on their way have arrived."""
        await asyncio.sleep(0.02)
        return len(self.visits)

    async def stop(self) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()


def answering(*wires: bytes) -> Script:
    """Answers each request of a connection with the next of ``wires``, then closes."""

    async def script(visit: Visit) -> None:
        for wire in wires:
            await visit.request()
            await visit.say(wire)

    return script


def keeping(wire: bytes) -> Script:
    """Answers every request with ``wire`` and never closes."""

    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say(wire)

    return script


async def silence(visit: Visit) -> None:
    """Takes the request and never says a word."""
    await visit.request()
    await asyncio.sleep(3600)
