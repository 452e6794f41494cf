"""The order of a run and its execution, without Django: who is asked when, and how many at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar
from uuid import UUID

MAX_IN_FLIGHT = 4
WARM_UP_LIMIT_S = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One request: which LLM, in which iteration (from 1)."""

    llm_id: UUID
    iteration: int


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    step: Step
    outcome: T


def plan(llm_ids: Sequence[UUID], num_runs: int, seed: int) -> list[Step]:
    """Every LLM once per round, in an order that the seed draws anew for each round.

    Interleaving lets a drift of the network or of the client meet all LLMs alike. The same
    arguments always give the same order, so a resumed run goes on where it stopped.
    """
    draw = random.Random(seed)  # noqa: S311 - an order, not a secret
    steps: list[Step] = []
    for iteration in range(1, num_runs + 1):
        order = list(llm_ids)
        draw.shuffle(order)
        steps += [Step(llm_id, iteration) for llm_id in order]
    return steps


def waves(steps: Iterable[Step], concurrency_per_llm: int) -> Iterator[list[Step]]:
    """Consecutive rounds that may be in flight together: as many as an LLM may serve at once."""
    for _, wave in groupby(steps, key=lambda step: (step.iteration - 1) // concurrency_per_llm):
        yield list(wave)


async def run(
    steps: Sequence[Step],
    execute: Callable[[Step], Awaitable[T]],
    *,
    warm_up: Callable[[UUID], Awaitable[object]] | None = None,
    concurrency_per_llm: int = 1,
    max_in_flight: int = MAX_IN_FLIGHT,
) -> AsyncGenerator[Finished[T], None]:
    """Yields each outcome as it comes; a wave starts when the one before it has ended.

    Steps start in the given order, at most `max_in_flight` at a time. Closing the iterator, or
    cancelling the task that reads it, cancels what is in flight. What `execute` raises ends it.
    """
    slots = asyncio.Semaphore(max_in_flight)
    if warm_up is not None:
        await _warm(list(dict.fromkeys(step.llm_id for step in steps)), warm_up, slots)
    for wave in waves(steps, concurrency_per_llm):
        started = [asyncio.ensure_future(_in_slot(slots, execute, step)) for step in wave]
        try:
            for done in asyncio.as_completed(started):
                yield await done
        finally:
            await _end(started)


async def _in_slot(
    slots: asyncio.Semaphore, execute: Callable[[Step], Awaitable[T]], step: Step
) -> Finished[T]:
    async with slots:
        return Finished(step, await execute(step))


async def _warm(
    llm_ids: Sequence[UUID],
    warm_up: Callable[[UUID], Awaitable[object]],
    slots: asyncio.Semaphore,
) -> None:
    async def once(llm_id: UUID) -> None:
        async with slots, asyncio.timeout(WARM_UP_LIMIT_S):
            await warm_up(llm_id)

    started = [asyncio.ensure_future(once(llm_id)) for llm_id in llm_ids]
    try:
        # An LLM that cannot be warmed shows its failure in round 1, where it is recorded.
        await asyncio.gather(*started, return_exceptions=True)
    finally:
        await _end(started)


async def _end(started: Sequence[asyncio.Future[T]]) -> None:
    for future in started:
        future.cancel()
    await asyncio.gather(*started, return_exceptions=True)
