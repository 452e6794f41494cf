"""A server that writes exactly the bytes a test names, when it names them."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

# bytes are written, a number is a pause in seconds, "reset" tears the connection down
Step = bytes | float | Literal["reset"]
Script = Sequence[Step]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@dataclass
class Received:
    target: str
    headers: dict[str, str]
    body: Any


@dataclass
class RawServer:
    port: int
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def raw_server(*scripts: Script) -> AsyncIterator[RawServer]:
    """Request n gets script n, and the last script when there are more requests than scripts."""
    server = RawServer(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while True:
                server.received.append(await _request(reader))
                index = min(len(server.received), len(scripts)) - 1
                await _play(scripts[index], writer)
                if b"connection: close" in b"".join(s for s in scripts[index] if type(s) is bytes):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(first.split(" ")[1], headers, json.loads(body) if body else None)


async def _play(script: Script, writer: asyncio.StreamWriter) -> None:
    for step in script:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif step == "reset":
            linger = struct.pack("ii", 1, 0)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        else:
            await asyncio.sleep(float(step))


def make_status(status: int, body: Any = None, **headers: str) -> list[Step]:
    """A whole answer with a status, its body as JSON unless it is bytes already."""
    payload = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    lines = [f"HTTP/1.1 {status} Status", f"content-length: {len(payload)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + payload]


def make_event(data: Any, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def make_delta(finish: str | None = None, usage: Any = None, **delta: Any) -> bytes:
    """A chunk of the OpenAI wire."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "model": "m-2026", "system_fingerprint": "fp_1", "choices": [choice]}
    return make_event(chunk | ({"usage": usage} if usage else {}))


def make_usage(prompt: int, completion: int, **more: Any) -> bytes:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, **more}
    return make_event({"id": "c", "choices": [], "usage": usage})


DONE = b"data: [DONE]\n\n"
STOP = make_delta(finish="stop")
GOOD: list[Step] = [
    HEAD,
    make_delta(role="assistant", content=""),
    0.02,
    make_delta(content="one"),
    0.02,
    make_delta(content=" two"),
    0.02,
    make_delta(content=" three"),
    STOP + make_usage(5, 3) + DONE,
]


def make_good(text: str = "one") -> list[Step]:
    return [HEAD, make_delta(content=text), STOP, DONE]
