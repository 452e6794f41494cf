"""Daphne, but an answer waits for its reader.

Daphne's own server keeps in memory whatever an application has sent and the client has not read
yet: an export of gigabytes, if the client is slow.
"""

from __future__ import annotations

import asyncio
from typing import Any

import daphne.server  # chooses the reactor, so before anything of Twisted
from daphne.http_protocol import WebRequest


class Valve:
    """A producer in Twisted's sense, with its names: shut while a buffer waits for the client."""

    def __init__(self) -> None:
        self._is_open = asyncio.Event()
        self._is_open.set()

    def pauseProducing(self) -> None:
        self._is_open.clear()

    def resumeProducing(self) -> None:
        self._is_open.set()

    def stopProducing(self) -> None:
        """The client has gone: whoever waits finds out with the next piece."""
        self._is_open.set()

    async def passed(self) -> None:
        await self._is_open.wait()


class PatientServer(daphne.server.Server):  # type: ignore[misc]
    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        is_body = message.get("type") == "http.response.body"
        if not isinstance(protocol, WebRequest) or not is_body or protocol.channel is None:
            await super().handle_reply(protocol, message)
            return
        if message.get("more_body") and protocol.producer is None:
            protocol.registerProducer(Valve(), True)
        valve: Valve | None = protocol.producer
        if valve is not None and not message.get("more_body"):
            protocol.unregisterProducer()
        await super().handle_reply(protocol, message)
        if valve is not None:
            await valve.passed()
