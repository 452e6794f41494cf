"""The clients that the transport bench compares: each asks for one stream and says what it saw."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TTFT_MS, GAP_MS, TOKENS = 200, 20, 50
MODEL = f"sim:ttft={TTFT_MS},gap={GAP_MS},tokens={TOKENS}"
STREAM_S = (TTFT_MS + GAP_MS * (TOKENS - 1)) / 1000
MESSAGES = [{"role": "user", "content": "Count to fifty."}]
# Each request asks for another limit, far above what comes: the name it has in the server's log.
NAMES = itertools.count(1000)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One stream as its client saw it, nanoseconds of the shared clock."""

    name: int
    sent_ns: int
    first_ns: int


Ask = Callable[[], Awaitable[Sighting]]


def is_content(data: bytes) -> bool:
    """Whether a piece of the stream brings the first words."""
    for line in data.split(b"\n"):
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:])["choices"]
            if choices and choices[0]["delta"].get("content"):
                return True
    return False


def body(name: int) -> dict[str, Any]:
    return {"model": MODEL, "messages": MESSAGES, "stream": True, "max_tokens": name}


async def drained(response: Any, name: int) -> Sighting:
    from providers.wire.body import drain

    trace = await drain(response)
    first_ns = next(stamp_ns for stamp_ns, data in trace.pieces if is_content(data))
    return Sighting(name, trace.send_ns or 0, first_ns)


def sdk(base_url: str, http: Any = None) -> Any:
    import openai

    return openai.AsyncOpenAI(
        base_url=f"{base_url}/v1", api_key="bench", max_retries=0, timeout=600, http_client=http
    )


def through_sdk(base_url: str, http: Any) -> Ask:
    client = sdk(base_url, http)

    async def ask() -> Sighting:
        name = next(NAMES)
        raw = await client.chat.completions.with_raw_response.create(**body(name))
        return await drained(raw.http_response, name)

    return ask


def argus(base_url: str) -> Ask:
    return through_sdk(base_url, http_client(argus_transport()))


def reference(base_url: str) -> Ask:
    from providers.wire.reference import ReferenceTransport

    return through_sdk(base_url, http_client(ReferenceTransport()))


def prepared(base_url: str) -> Ask:
    """The request is built once, as an engine may that asks the same question again and again."""
    http, url = http_client(argus_transport()), f"{base_url}/v1/chat/completions"
    content = json.dumps(body(0)).encode()
    headers = {"authorization": "Bearer bench", "content-type": "application/json"}

    async def ask() -> Sighting:
        name = next(NAMES)
        named = content.replace(b'"max_tokens": 0', b'"max_tokens": %d' % name)
        request = http.build_request("POST", url, content=named, headers=headers)
        return await drained(await http.send(request, stream=True), name)

    return ask


def usual(base_url: str) -> Ask:
    client = sdk(base_url)

    async def ask() -> Sighting:
        name, sent_ns, first_ns = next(NAMES), time.perf_counter_ns(), 0
        stream = await client.chat.completions.create(**body(name))
        async for chunk in stream:
            if not first_ns and chunk.choices and chunk.choices[0].delta.content:
                first_ns = time.perf_counter_ns()
        return Sighting(name, sent_ns, first_ns)

    return ask


def argus_transport() -> Any:
    from providers.wire.transport import ArgusTransport

    return ArgusTransport()


def http_client(transport: Any) -> Any:
    import httpx2

    return httpx2.AsyncClient(
        transport=transport, headers={"accept-encoding": "identity"}, timeout=60
    )


def engine(base_url: str) -> Ask:
    """The whole road of a probe: request, stream, decoding, token counts, measurement."""
    from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange

    clients = ClientPool()
    endpoint = Endpoint("custom_openai_compatible", f"{base_url}/v1", api_key="bench")

    async def ask() -> Sighting:
        request = ChatRequest(MODEL, MESSAGES[0]["content"], next(NAMES), None)
        outcome = await exchange(endpoint, request, clients=clients)
        seen = outcome.measurement
        if seen is None or outcome.failure is not None:
            raise RuntimeError(f"The exchange failed: {outcome.failure}")
        return Sighting(request.max_tokens, seen.send_ns, seen.chunks[0].at_ns)

    return ask


def floor(base_url: str) -> Ask:
    """The least that Python can do: a Protocol that stamps its reads and knows no HTTP."""
    host, port = urlsplit(base_url).hostname or "", urlsplit(base_url).port or 80
    idle: list[asyncio.Transport] = []

    class Bare(asyncio.Protocol):
        def __init__(self) -> None:
            self.done = asyncio.get_running_loop().create_future()
            self.pieces: list[tuple[int, bytes]] = []

        def data_received(self, data: bytes) -> None:
            self.pieces.append((time.perf_counter_ns(), data))
            if data.endswith(b"0\r\n\r\n"):
                self.done.set_result(None)

    async def ask() -> Sighting:
        name, bare = next(NAMES), Bare()
        if idle:
            transport = idle.pop()
            transport.set_protocol(bare)
        else:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(lambda: bare, host, port)
        content = json.dumps(body(name)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}"
        sent_ns = time.perf_counter_ns()
        transport.write(head.encode() + b"\r\n\r\n" + content)
        await bare.done
        idle.append(transport)
        first_ns = next(stamp_ns for stamp_ns, data in bare.pieces if is_content(data))
        return Sighting(name, sent_ns, first_ns)

    return ask


@dataclass(frozen=True, slots=True)
class Client:
    """``tuned`` runs as the worker does: uvloop, and no garbage collection while it measures."""

    name: str
    make: Callable[[str], Ask]
    tuned: bool = True


USUAL = Client("openai SDK as usual (asyncio)", usual, tuned=False)
CLIENTS = [
    Client("floor: bare Protocol, no HTTP", floor),
    Client("own transport, request built once", prepared),
    Client("openai SDK request, own transport", argus),
    Client("engine: all of it, decoded", engine),
    Client("openai SDK request, httpx2 transport", reference),
    Client("openai SDK as usual, uvloop", usual),
    USUAL,
]
