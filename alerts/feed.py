"""What the open pages are told: the number of unread alerts and the newest ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError
from rest_framework.renderers import JSONRenderer

from alerts.announcements import GROUP
from alerts.models import Alert
from alerts.serializers.alerts import AlertOutput
from arguslm.api.bells import Bell, end_task

log = logging.getLogger(__name__)

SHOWN = 10
LOOK_S = 5.0
PAUSE_S = 0.2


def snapshot() -> str:
    """One message of the stream, as JSON."""
    newest = Alert.objects.filter(in_app=True).select_related("llm")
    body = {
        "type": "alerts",
        "unread": Alert.objects.unread().count(),
        "items": AlertOutput(newest.order_by("-created_at", "-id")[:SHOWN], many=True).data,
    }
    return bytes(JSONRenderer().render(body)).decode()


class Feed:
    """One listener and one reader for all pages of this process.

    The channel layer is only a bell: what is told comes from the rows, and without a broker the
    feed looks every few seconds.
    """

    def __init__(self) -> None:
        self.text: str | None = None
        self.watchers = 0
        self._changed = asyncio.Event()
        self._rung = asyncio.Event()
        self._bell = Bell(GROUP, self._rung.set, LOOK_S)
        self._reading = asyncio.create_task(self._read())

    async def after(self, text: str | None) -> str:
        """The snapshot that differs from `text`, as soon as there is one."""
        while self.text is None or self.text == text:
            await self._changed.wait()
        return self.text

    async def close(self) -> None:
        await asyncio.gather(self._bell.close(), end_task(self._reading))

    async def _read(self) -> None:
        while True:
            self._rung.clear()
            fresh = await self._snapshot()
            if fresh != self.text:
                self.text = fresh
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._rung.wait(), LOOK_S)
            # A storm rings often: the pages are told a few times a second, not more.
            await asyncio.sleep(PAUSE_S)

    async def _snapshot(self) -> str | None:
        try:
            fresh: str = await database_sync_to_async(snapshot)()
        except DatabaseError as exc:
            log.warning("The newest alerts could not be read: %s", exc)
            return self.text
        return fresh


_feeds: dict[str, Feed] = {}


@asynccontextmanager
async def watched() -> AsyncIterator[Feed]:
    """The feed of this process; the last page to leave closes it."""
    feed = _feeds.get(GROUP)
    if feed is None:
        feed = _feeds[GROUP] = Feed()
    feed.watchers += 1
    try:
        yield feed
    finally:
        feed.watchers -= 1
        if feed.watchers == 0:
            del _feeds[GROUP]
            await feed.close()
