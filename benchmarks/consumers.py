from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from autobahn.exception import Disconnected

from arguslm.api.sockets import CLOSE_NOT_FOUND, Watcher
from benchmarks.events import BEFORE_ALL
from benchmarks.feeds import Feed, feed_of

log = logging.getLogger(__name__)

CLOSE_DONE = 1000
CLOSE_TROUBLE = 1011
CLOSE_BAD_REQUEST = 4400
IDLE_S = 25.0
_SEQ = re.compile(r"[0-9]{1,9}")


class Refused(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class RunConsumer(Watcher):
    """Tells the events after `?after=<seq>`, then each one as it comes, and closes at the end."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await super().receive(text_data, bytes_data)
        if text_data is not None and _is_ping(text_data):
            await self.send(text_data='{"type": "pong"}')

    async def watch(self) -> None:
        try:
            run_id, after = self._asked()
            async with feed_of(run_id) as feed:
                await self._follow(feed, after)
                await self.close(CLOSE_DONE)
        except Refused as exc:
            await self.close(exc.code, exc.reason)
        except Disconnected:
            log.debug("A watcher left in the middle of an event.")
        except Exception:  # whatever it is, the watcher must not wait for ever
            log.exception("The stream of a benchmark broke off")
            await self.close(CLOSE_TROUBLE, "The stream broke off: connect again.")

    def _asked(self) -> tuple[UUID, int]:
        try:
            run_id = UUID(self.scope["url_route"]["kwargs"]["run_id"])
        except ValueError as exc:
            raise Refused(CLOSE_NOT_FOUND, "There is no such benchmark run.") from exc
        return run_id, _after(self.scope)

    async def _follow(self, feed: Feed, seq: int) -> None:
        clock = asyncio.get_running_loop().time
        sent_at = clock()
        while True:
            generation = feed.generation
            page = await feed.page_after(seq)
            if page is None:
                raise Refused(CLOSE_NOT_FOUND, "There is no such benchmark run.")
            for text in page.texts:
                await self.send(text_data=text)
                sent_at = clock()
            seq = page.seq
            if page.is_last:
                return
            if page.is_full:
                continue
            await feed.changed_since(generation)
            if clock() - sent_at > IDLE_S:
                await self.send(text_data='{"type": "ping"}')
                sent_at = clock()


def _after(scope: dict[str, Any]) -> int:
    given = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("after")
    if given is None:
        return BEFORE_ALL
    if not _SEQ.fullmatch(given[-1]):
        raise Refused(CLOSE_BAD_REQUEST, "after must be the seq of an event: a whole number.")
    return int(given[-1])


def _is_ping(text: str) -> bool:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("type") == "ping"
