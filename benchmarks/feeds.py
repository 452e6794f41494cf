"""What this process knows of a run while somebody watches it: one listener, one reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from channels.db import database_sync_to_async

from arguslm.api.bells import Bell, end_task
from benchmarks.announcements import group_of
from benchmarks.events import Page, page_after

LOOK_S = 2.0


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
        self._bell = Bell(group_of(run_id), self._ring, LOOK_S)
        self._looking = asyncio.create_task(self._look())

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
        reads = map(end_task, self._reads.values())
        await asyncio.gather(self._bell.close(), end_task(self._looking), *reads)

    def _ring(self) -> None:
        self.generation += 1
        self._reads = {}
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._ring()


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
