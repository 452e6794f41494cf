from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from channels.generic.websocket import AsyncWebsocketConsumer

from alerts.feed import Feed, watched

log = logging.getLogger(__name__)
CLOSE_TROUBLE = 1011
IDLE_S = 25.0


class AlertsConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Tells the unread count and the newest alerts at once and whenever they change."""

    # The feed listens for all pages; a socket must not fall with the broker.
    channel_layer_alias = "no channel layer of its own"
    watching: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        self.watching = asyncio.create_task(self._watch())

    async def disconnect(self, code: int) -> None:
        if self.watching is not None:
            self.watching.cancel()
            await asyncio.gather(self.watching, return_exceptions=True)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "ping":
            await self.send(text_data="pong")

    async def _watch(self) -> None:
        try:
            async with watched() as feed:
                await self._follow(feed)
        except Exception:  # whatever it is, the page must not wait for ever
            log.exception("The stream of alerts broke off")
            await self.close(CLOSE_TROUBLE, "The stream broke off: connect again.")

    async def _follow(self, feed: Feed) -> None:
        text: str | None = None
        while True:
            with suppress(asyncio.TimeoutError):
                text = await asyncio.wait_for(feed.after(text), IDLE_S)
                await self.send(text_data=text)
                continue
            await self.send(text_data='{"type": "ping"}')
