"""Pays the price of a first exchange before anything is timed."""

from __future__ import annotations

import asyncio
import importlib

from providers.adapters.clients import ClientPool
from providers.adapters.endpoint import ChatRequest, Endpoint, Protocol
from providers.adapters.exchange import exchange
from providers.measurement import Outcome

CANNED: dict[Protocol, bytes] = {
    "openai": (
        b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"warm"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    ),
    "anthropic": (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"warm"}}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta",'
        b'"delta":{"stop_reason":"end_turn"}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    ),
}


async def warm_up(clients: ClientPool) -> list[Outcome]:
    """Imports the SDKs, makes a TLS context, and asks itself once per wire over loopback."""
    await asyncio.to_thread(_import_sdks)
    return [await _ask_myself(protocol, clients) for protocol in CANNED]


def _import_sdks() -> None:
    for name in ("openai.resources.chat", "anthropic.resources.messages"):
        importlib.import_module(name)


async def _ask_myself(protocol: Protocol, clients: ClientPool) -> Outcome:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        writer.write(head + CANNED[protocol])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        endpoint = Endpoint(
            "warm_up",
            f"http://127.0.0.1:{port}",
            protocol,
            "warm-up",
            ttft_timeout_s=10,
            total_timeout_s=10,
            identity=f"warm_up:{protocol}",
        )
        return await exchange(endpoint, ChatRequest("warm-up", "warm"), clients=clients)
