from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from alerts.feed import Feed, watched
from arguslm.api.sockets import Watcher

log = logging.getLogger(__name__)
CLOSE_TROUBLE = 1011
IDLE_S = 25.0


class AlertsConsumer(Watcher):
    """Tells the unread count and the newest alerts at once and whenever they change."""

    async def watch(self) -> None:
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
