"""What this process knows of a run while somebody watches it: one listener, one reader."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from benchmarks.announcements import group_of
from benchmarks.events import Page, page_after

log = logging.getLogger(__name__)

LOOK_S = 2.0
CANCEL_AGAIN_S = 0.05
BROKER_TROUBLE = (RedisError, OSError, asyncio.TimeoutError)


class Feed:
    """Wakes the watchers of a run when its rows may have moved, and reads for all of them at once.

    The channel layer is only a bell; without it the feed looks every two seconds.
    """

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self.generation = 0
        self.watchers = 0
        self._rung = asyncio.Event()
        self._reads: dict[int, asyncio.Task[Page | None]] = {}
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._look())]

    async def changed_since(self, generation: int) -> int:
        """Waits for the next ring after `generation`; returns the current one."""
        while self.generation == generation:
            await self._rung.wait()
        return self.generation

    async def page_after(self, seq: int) -> Page | None:
        """Watchers at the same place share one read, if it began after the last ring."""
        if seq not in self._reads:
            self._reads[seq] = asyncio.create_task(_read(self.run_id, seq))
        return await asyncio.shield(self._reads[seq])

    async def close(self) -> None:
        await asyncio.gather(*map(_ended, [*self._tasks, *self._reads.values()]))

    def _ring(self) -> None:
        self.generation += 1
        self._reads = {}
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._ring()

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except BROKER_TROUBLE as exc:
                log.warning("Benchmark %s is watched without the broker: %s", self.run_id, exc)
                await asyncio.sleep(LOOK_S)

    async def _hear(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        group = group_of(self.run_id)
        await layer.group_add(group, channel)
        try:
            while True:
                # Also once at the start: what was announced before we joined is in the rows.
                self._ring()
                await layer.receive(channel)
        finally:
            with suppress(*BROKER_TROUBLE):
                await layer.group_discard(group, channel)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancels until it holds: a cancellation that meets redis-py while it connects is swallowed."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)


_read = database_sync_to_async(page_after)
_feeds: dict[UUID, Feed] = {}


@asynccontextmanager
async def feed_of(run_id: UUID) -> AsyncIterator[Feed]:
    """The run's feed in this process; the last watcher to leave closes it."""
    feed = _feeds.get(run_id)
    if feed is None:
        feed = _feeds[run_id] = Feed(run_id)
    feed.watchers += 1
    try:
        yield feed
    finally:
        feed.watchers -= 1
        if feed.watchers == 0:
            del _feeds[run_id]
            await feed.close()
