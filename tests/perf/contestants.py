"""The clients of the engine bench; each asks for one stream and says what it saw."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from tests.perf.arena import MODEL, PROMPT, Sighting

Ask = Callable[[], Awaitable[Sighting]]
MAX_TOKENS = 64
ID_HEADER = "x-request-id"


def engine(base_url: str) -> Ask:
    """The whole road of a probe: request, stream, decoding, token counts, figures."""
    from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange

    clients = ClientPool()
    endpoint = Endpoint("custom_openai_compatible", f"{base_url}/v1", api_key="bench")
    request = ChatRequest(MODEL, PROMPT, MAX_TOKENS, None)

    async def ask() -> Sighting:
        outcome = await exchange(endpoint, request, clients=clients)
        seen = outcome.measurement
        if seen is None or outcome.failure is not None:
            raise RuntimeError(f"The exchange failed: {outcome.failure}")
        outcome.figures()
        first_ns, last_ns = seen.first_ns or 0, seen.last_ns or 0
        return Sighting(
            outcome.request_id or "", seen.send_ns, first_ns, last_ns, seen.output_tokens
        )

    return ask


def sdk(base_url: str) -> Ask:
    """The openai SDK as its manual shows it."""
    import openai

    client = openai.AsyncOpenAI(
        base_url=f"{base_url}/v1", api_key="bench", max_retries=0, timeout=600
    )

    async def ask() -> Sighting:
        first_ns = last_ns = 0
        tokens = None
        sent_ns = time.perf_counter_ns()
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=MAX_TOKENS,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                last_ns = time.perf_counter_ns()
                first_ns = first_ns or last_ns
            if chunk.usage:
                tokens = chunk.usage.completion_tokens
        name = stream.response.headers[ID_HEADER]
        return Sighting(name, sent_ns, first_ns, last_ns, tokens)

    return ask


def bare(base_url: str) -> Ask:
    """The least that Python can do: a Protocol that stamps its reads and reads no HTTP."""
    host, port = urlsplit(base_url).hostname or "", urlsplit(base_url).port or 80
    message = {"role": "user", "content": PROMPT}
    asked = {"model": MODEL, "messages": [message], "max_tokens": MAX_TOKENS, "stream": True}
    content = json.dumps(asked | {"stream_options": {"include_usage": True}}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}"
    idle: list[asyncio.Transport] = []

    async def ask() -> Sighting:
        reads = Reads()
        if idle:
            transport = idle.pop()
            transport.set_protocol(reads)
        else:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(lambda: reads, host, port)
        sent_ns = time.perf_counter_ns()
        transport.write(head.encode() + b"\r\n\r\n" + content)
        await reads.done
        idle.append(transport)
        stamps = [at_ns for at_ns, data in reads.pieces if b'"delta":{"content":"' in data]
        return Sighting(reads.name(), sent_ns, stamps[0], stamps[-1], None)

    return ask


class Reads(asyncio.Protocol):
    def __init__(self) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self.pieces: list[tuple[int, bytes]] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append((time.perf_counter_ns(), data))
        if data.endswith(b"0\r\n\r\n"):
            self.done.set_result(None)

    def name(self) -> str:
        return self.pieces[0][1].partition(b"x-request-id: ")[2].split(b"\r\n")[0].decode()
