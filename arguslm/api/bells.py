"""A bell for every channel group: something has moved, look at the rows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

BROKER_S = 5.0
BROKER_TROUBLE = (RedisError, OSError, asyncio.TimeoutError)


def ring(group: str, submit: Callable[[Coroutine[Any, Any, None]], Future[None]]) -> None:
    """Hands the ring to a loop and does not wait: no broker, slow or absent, holds us up."""
    submit(_send(group)).add_done_callback(_log_failure)


async def _send(group: str) -> None:
    async with asyncio.timeout(BROKER_S):
        await get_channel_layer().group_send(group, {"type": "moved"})


def _log_failure(sent: Future[None]) -> None:
    with suppress(CancelledError):
        exc = sent.exception(timeout=0)
        if exc is not None:
            log.warning("Those who watch were not told: %s", _words(exc))


def _words(exc: BaseException) -> str:
    return str(exc) or "the broker did not answer"


class Bell:
    """Calls `ring` for every message to the group until it is closed.

    Without a broker it is silent and tries again every `retry_s` seconds: who must miss nothing
    looks at the rows now and then as well.
    """

    def __init__(self, group: str, ring: Callable[[], object], retry_s: float) -> None:
        self._group = group
        self._ring = ring
        self._retry_s = retry_s
        self._task = asyncio.create_task(self._listen())

    async def close(self) -> None:
        await end_task(self._task)

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except BROKER_TROUBLE as exc:
                log.warning("%s is watched without the broker: %s", self._group, _words(exc))
                await asyncio.sleep(self._retry_s)

    async def _hear(self) -> None:
        layer = get_channel_layer()
        async with asyncio.timeout(BROKER_S):
            channel = await layer.new_channel()
            await layer.group_add(self._group, channel)
        try:
            while True:
                # Also once at the start: what was announced before we joined is in the rows.
                self._ring()
                await layer.receive(channel)
        finally:
            with suppress(*BROKER_TROUBLE):
                async with asyncio.timeout(BROKER_S):
                    await layer.group_discard(self._group, channel)


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancels the task and waits until it has gone."""
    task.cancel()
    await asyncio.wait([task])
