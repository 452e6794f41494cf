"""The order of a run and its execution, without Django: who is asked when, and how many at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from providers.measurement import now_ns

MAX_IN_FLIGHT = 10
WARM_UP_LIMIT_S = 30.0

T = TypeVar("T")


class Arrivals(StrEnum):
    POISSON = "poisson"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """`rate` requests per second and LLM, made whether or not the earlier ones were answered."""

    rate: float
    arrivals: Arrivals = Arrivals.POISSON


@dataclass(frozen=True, slots=True)
class Step:
    """One request: which LLM, in which iteration (from 1), in an open loop also when."""

    llm_id: UUID
    iteration: int
    offset_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    step: Step
    outcome: T


@dataclass(frozen=True, slots=True)
class Load:
    """How many requests may be in flight: to one LLM, and altogether."""

    concurrency_per_llm: int = 1
    max_in_flight: int = MAX_IN_FLIGHT

    @property
    def rounds_together(self) -> int:
        # With one request per LLM a round ends before the next begins. With more, one straggler
        # must not empty the pipe, so the rounds may run apart a little.
        return 1 if self.concurrency_per_llm == 1 else 2 * self.concurrency_per_llm


Execute = Callable[[Step, int], Awaitable[T]]


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


def timetable(llm_ids: Sequence[UUID], num_runs: int, seed: int, load: OpenLoop) -> list[Step]:
    """The steps of an open loop by the time at which each is due, in seconds from the start.

    Each LLM has an arrival process of its own: Poisson (exponential gaps) or a constant gap with
    a phase that the seed draws.
    """
    draw = random.Random(seed)  # noqa: S311 - a timetable, not a secret
    steps: list[Step] = []
    for llm_id in llm_ids:
        offset_s = draw.random() / load.rate if load.arrivals is Arrivals.CONSTANT else 0.0
        for iteration in range(1, num_runs + 1):
            if load.arrivals is Arrivals.POISSON:
                offset_s += draw.expovariate(load.rate)
            steps.append(Step(llm_id, iteration, offset_s))
            if load.arrivals is Arrivals.CONSTANT:
                offset_s += 1 / load.rate
    return sorted(steps, key=lambda step: step.offset_s)


async def run(
    steps: Sequence[Step], execute: Execute[T], load: Load | OpenLoop = Load()
) -> AsyncGenerator[Finished[T], None]:
    """Yields each outcome as it comes. `execute` gets the step and `t_sched`, a `now_ns` stamp.

    Closing the iterator, or cancelling the task that reads it, cancels what is in flight. What
    `execute` raises ends it.
    """
    running = _Running(execute)
    feed = running.on_time(steps) if isinstance(load, OpenLoop) else running.in_turn(steps, load)
    feeding = asyncio.ensure_future(feed)
    feeding.add_done_callback(running.end)
    try:
        while (done := await running.ended.get()) is not None:
            yield done.result()
        feeding.result()
    finally:
        await _stop([feeding, *running.in_flight])


class _Running(Generic[T]):
    def __init__(self, execute: Execute[T]) -> None:
        self.execute = execute
        self.ended: asyncio.Queue[asyncio.Task[Finished[T]] | None] = asyncio.Queue()
        self.in_flight: set[asyncio.Task[Finished[T]]] = set()
        self._fed = False

    async def in_turn(self, steps: Sequence[Step], load: Load) -> None:
        """Starts the steps in the given order, each as soon as the load allows."""
        gate = _Gate(steps, load)
        for step in steps:
            await gate.enter(step)
            self._start(step, now_ns(), gate.leave)

    async def on_time(self, steps: Sequence[Step]) -> None:
        """Starts each step when it is due; a resumed timetable begins with its next step."""
        if not steps:
            return
        start_ns = now_ns() - round(steps[0].offset_s * 1e9)
        for step in steps:
            due_ns = start_ns + round(step.offset_s * 1e9)
            # Again: uvloop's timers know whole milliseconds and may ring before the time.
            while (left_ns := due_ns - now_ns()) > 0:  # noqa: ASYNC110 - time, no event
                await asyncio.sleep(left_ns / 1e9)
            self._start(step, due_ns)

    def end(self, feeding: asyncio.Future[None]) -> None:
        self._fed = True
        if not self.in_flight or feeding.cancelled() or feeding.exception():
            self.ended.put_nowait(None)

    def _start(
        self, step: Step, sched_ns: int, leave: Callable[[Step], None] | None = None
    ) -> None:
        task = asyncio.create_task(self._one(step, sched_ns))
        self.in_flight.add(task)

        def done(task: asyncio.Task[Finished[T]]) -> None:
            self.in_flight.discard(task)
            if leave is not None:
                leave(step)
            if not task.cancelled():
                self.ended.put_nowait(task)
            if self._fed and not self.in_flight:
                self.ended.put_nowait(None)

        task.add_done_callback(done)

    async def _one(self, step: Step, sched_ns: int) -> Finished[T]:
        return Finished(step, await self.execute(step, sched_ns))


class _Gate:
    """Lets a step pass when its LLM, the whole run and the round before have room for it."""

    def __init__(self, steps: Iterable[Step], load: Load) -> None:
        self._load = load
        self._left = Counter(step.iteration for step in steps)
        self._rounds = sorted(self._left, reverse=True)
        self._of_llm: Counter[UUID] = Counter()
        self._of_all = 0
        self._moved = asyncio.Event()

    async def enter(self, step: Step) -> None:
        while not self._has_room(step):
            self._moved.clear()
            await self._moved.wait()
        self._of_llm[step.llm_id] += 1
        self._of_all += 1

    def leave(self, step: Step) -> None:
        self._of_llm[step.llm_id] -= 1
        self._of_all -= 1
        self._left[step.iteration] -= 1
        while self._rounds and not self._left[self._rounds[-1]]:
            self._rounds.pop()
        self._moved.set()

    def _has_room(self, step: Step) -> bool:
        load = self._load
        return (
            self._of_all < load.max_in_flight
            and self._of_llm[step.llm_id] < load.concurrency_per_llm
            and step.iteration < self._rounds[-1] + load.rounds_together
        )


async def warm_up(
    llm_ids: Iterable[UUID],
    execute: Callable[[UUID], Awaitable[object]],
    max_in_flight: int = MAX_IN_FLIGHT,
) -> None:
    """Asks each LLM once, at most `WARM_UP_LIMIT_S` long, and forgets the answer.

    An LLM that cannot be warmed shows its failure in round 1, where it is recorded.
    """
    slots = asyncio.Semaphore(max_in_flight)

    async def once(llm_id: UUID) -> None:
        async with slots, asyncio.timeout(WARM_UP_LIMIT_S):
            await execute(llm_id)

    started = [asyncio.ensure_future(once(llm_id)) for llm_id in llm_ids]
    try:
        await asyncio.gather(*started, return_exceptions=True)
    finally:
        await _stop(started)


async def _stop(started: Sequence[asyncio.Future[Any]]) -> None:
    for future in started:
        future.cancel()
    await asyncio.gather(*started, return_exceptions=True)
