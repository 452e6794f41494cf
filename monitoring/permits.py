"""Who may probe now: semaphores on the engine loop that all shares of a process respect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

# A probe that has waited this long for its answer costs us nothing but a socket: it gives its
# place among the busy ones back and stays in the crowd, which may be that much larger. An account
# whose models hang would otherwise keep its other models from being asked; where the account has a
# limit of its own, the provider may count, and the place is kept to the end.
BUSY_S = 5.0
CROWD = 10
ACCOUNT_BUSY_S = 10.0
ACCOUNT_CROWD = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Probes at the same time: in this process, for one account, for one LLM.

    `is_strict`: the account's limit counts probes that hang as well.
    """

    everywhere: int
    account: int
    llm: int = 1
    is_strict: bool = True

    @property
    def suspects(self) -> int:
        """How many of an account's places may be held by LLMs that tend not to answer."""
        return max(1, self.account // 2)

    @property
    def suspects_everywhere(self) -> int:
        return max(1, self.everywhere // 2)


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
        held: list[_Place] = []
        try:
            try:
                async with asyncio.timeout(wait_s):
                    for semaphore, busy_s in self._needed(account_id, llm_id, limits, is_suspect):
                        await semaphore.acquire()
                        held.append(_Place(semaphore, busy_s))
            except TimeoutError as exc:
                raise NoPlace from exc
            for place in held:
                place.start()
            yield
        finally:
            for place in held:
                place.release()
            self._forget(llm_id)

    def _needed(
        self, account_id: UUID, llm_id: UUID, limits: Limits, is_suspect: bool
    ) -> Iterator[tuple[asyncio.Semaphore, float | None]]:
        """Semaphores in the order in which they are taken, and after how long they are given
        back."""
        account_s = None if limits.is_strict else ACCOUNT_BUSY_S
        yield self.semaphore(("llm", llm_id), limits.llm), None
        # First of all for suspects: they must not wait for it on a place that others could have.
        if is_suspect:
            yield self.semaphore(("suspects", account_id), limits.suspects), account_s
            yield self.semaphore(("suspects", None), limits.suspects_everywhere), BUSY_S
        if not limits.is_strict:
            crowd = limits.account * ACCOUNT_CROWD
            yield self.semaphore(("account crowd", account_id), crowd), None
        yield self.semaphore(("account", account_id), limits.account), account_s
        yield self.semaphore(("crowd", None), limits.everywhere * CROWD), None
        yield self.semaphore(("busy", None), limits.everywhere), BUSY_S

    def _forget(self, llm_id: UUID) -> None:
        """Semaphores of LLMs are many; one that nobody holds or waits for need not be kept."""
        limit, semaphore = self._semaphores.get(("llm", llm_id), (0, None))
        if semaphore is not None and not semaphore.locked() and semaphore._value == limit:
            del self._semaphores["llm", llm_id]


class _Place:
    """One permit, given back at the end or, if `busy_s` says so, after that time."""

    __slots__ = ("_busy_s", "_semaphore", "_timer")

    def __init__(self, semaphore: asyncio.Semaphore, busy_s: float | None) -> None:
        self._semaphore: asyncio.Semaphore | None = semaphore
        self._busy_s = busy_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._busy_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._busy_s, self.release)

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._semaphore is not None:
            self._semaphore.release()
            self._semaphore = None
