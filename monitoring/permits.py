"""Who may probe now: semaphores on the engine loop that all shares of a process respect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

# A probe that has waited this long for its answer costs us nothing but a socket: it gives its
# place among the busy ones back and stays in the crowd, which may be that much larger.
BUSY_S = 5.0
CROWD = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Probes at the same time: in this process, for one account, for one LLM."""

    everywhere: int
    account: int
    llm: int = 1

    @property
    def suspects(self) -> int:
        """How many of an account's places may be held by LLMs that tend not to answer."""
        return max(1, self.account // 2)


class NoPlace(Exception):
    """There was none in the time given."""


class Permits:
    def __init__(self) -> None:
        self._semaphores: dict[Hashable, tuple[int, asyncio.Semaphore]] = {}

    def semaphore(self, name: Hashable, limit: int) -> asyncio.Semaphore:
        known_limit, semaphore = self._semaphores.get(name, (0, None))
        if semaphore is None or known_limit != limit:
            # Probes that hold a permit of the old limit end by themselves.
            semaphore = asyncio.Semaphore(limit)
            self._semaphores[name] = (limit, semaphore)
        return semaphore

    @asynccontextmanager
    async def held(
        self,
        account_id: UUID,
        llm_id: UUID,
        limits: Limits,
        *,
        is_suspect: bool,
        wait_s: float | None = None,
    ) -> AsyncIterator[None]:
        """Waits for a place of each kind, the narrowest first: nobody who waits blocks others.

        Raises NoPlace after `wait_s`.
        """
        held: list[asyncio.Semaphore] = []
        try:
            try:
                async with asyncio.timeout(wait_s):
                    for semaphore in self._needed(account_id, llm_id, limits, is_suspect):
                        await semaphore.acquire()
                        held.append(semaphore)
            except TimeoutError as exc:
                raise NoPlace from exc
            busy = _Once(held.pop())
            timer = asyncio.get_running_loop().call_later(BUSY_S, busy.release)
            try:
                yield
            finally:
                timer.cancel()
                busy.release()
        finally:
            for semaphore in held:
                semaphore.release()
            self._forget(llm_id)

    def _needed(
        self, account_id: UUID, llm_id: UUID, limits: Limits, is_suspect: bool
    ) -> list[asyncio.Semaphore]:
        suspects = [("suspects", account_id, limits.suspects)] if is_suspect else []
        names = [
            ("llm", llm_id, limits.llm),
            *suspects,
            ("account", account_id, limits.account),
            ("crowd", None, limits.everywhere * CROWD),
            ("busy", None, limits.everywhere),
        ]
        return [self.semaphore((kind, key), limit) for kind, key, limit in names]

    def _forget(self, llm_id: UUID) -> None:
        """Semaphores of LLMs are many; one that nobody holds or waits for need not be kept."""
        limit, semaphore = self._semaphores.get(("llm", llm_id), (0, None))
        if semaphore is not None and not semaphore.locked() and semaphore._value == limit:
            del self._semaphores["llm", llm_id]


class _Once:
    def __init__(self, semaphore: asyncio.Semaphore) -> None:
        self._semaphore: asyncio.Semaphore | None = semaphore

    def release(self) -> None:
        if self._semaphore is not None:
            self._semaphore.release()
            self._semaphore = None
