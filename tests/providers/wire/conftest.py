from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
import uvloop

from providers.wire.transport import ArgusTransport
from tests.providers.wire.peer import Peer, Script


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test of the wire runs on both event loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def transport() -> AsyncIterator[ArgusTransport]:
    transport = ArgusTransport()
    yield transport
    await transport.aclose()


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """``await serve(script)`` starts a peer on the loopback that follows the script."""
    peers: list[Peer] = []

    async def start(script: Script, host: str = "127.0.0.1", **options: Any) -> Peer:
        peers.append(await Peer.start(script, host, **options))
        return peers[-1]

    yield start
    for peer in peers:
        await peer.stop()
