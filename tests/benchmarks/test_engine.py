from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from benchmarks.engine import Step, plan, run, waves

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
Execute = Callable[[Step], Awaitable[str]]


class Bench:
    """Executes steps at once and remembers how many were in flight together."""

    def __init__(self) -> None:
        self.started: list[Step] = []
        self.now: Counter[UUID] = Counter()
        self.most = 0
        self.most_of_one = 0
        self.cancelled = 0

    async def execute(self, step: Step) -> str:
        self.started.append(step)
        self.now[step.llm_id] += 1
        self.most = max(self.most, self.now.total())
        self.most_of_one = max(self.most_of_one, *self.now.values())
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now[step.llm_id] -= 1
        return f"{step.llm_id.int}.{step.iteration}"


async def outcomes(steps: list[Step], execute: Execute, **options: Any) -> list[str]:
    return [done.outcome async for done in run(steps, execute, **options)]


def test_every_llm_runs_once_in_every_round() -> None:
    steps = plan([A, B, C], 4, seed=7)

    rounds = [steps[i : i + 3] for i in range(0, 12, 3)]
    assert [{s.llm_id for s in one} for one in rounds] == [{A, B, C}] * 4
    assert [{s.iteration for s in one} for one in rounds] == [{1}, {2}, {3}, {4}]


def test_the_seed_alone_decides_the_order() -> None:
    assert plan([A, B, C], 50, seed=1) == plan([A, B, C], 50, seed=1)
    assert plan([A, B, C], 50, seed=1) != plan([A, B, C], 50, seed=2)


def test_the_order_is_drawn_anew_for_each_round() -> None:
    steps = plan([A, B, C], 600, seed=3)

    orders = Counter(tuple(s.llm_id for s in steps[i : i + 3]) for i in range(0, 1800, 3))
    assert len(orders) == 6
    assert min(orders.values()) > 60


def test_no_runs_make_an_empty_plan() -> None:
    assert plan([A], 0, seed=1) == []
    assert list(waves([], 1)) == []


async def test_steps_start_in_the_planned_order_and_all_finish() -> None:
    bench, steps = Bench(), plan([A, B, C], 3, seed=5)

    found = await outcomes(steps, bench.execute)

    assert bench.started == steps
    assert Counter(found) == Counter(f"{s.llm_id.int}.{s.iteration}" for s in steps)


async def test_an_llm_never_runs_against_itself() -> None:
    bench = Bench()

    await outcomes(plan([A, B, C], 5, seed=5), bench.execute, max_in_flight=100)

    assert (bench.most_of_one, bench.most) == (1, 3)


async def test_concurrency_of_two_takes_two_rounds_together() -> None:
    bench = Bench()

    await outcomes(plan([A, B], 4, seed=5), bench.execute, concurrency_per_llm=2)

    assert (bench.most_of_one, bench.most) == (2, 4)


async def test_no_more_than_the_limit_are_in_flight() -> None:
    bench = Bench()

    await outcomes(plan([uuid4() for _ in range(9)], 2, seed=5), bench.execute)

    assert bench.most == 4


async def test_a_round_waits_for_the_slowest_of_the_one_before() -> None:
    release, started = asyncio.Event(), list[Step]()

    async def execute(step: Step) -> str:
        started.append(step)
        if step == Step(A, 1):
            await release.wait()
        return ""

    running = asyncio.create_task(outcomes(plan([A, B], 2, seed=1), execute))
    await asyncio.sleep(0.01)
    assert {step.iteration for step in started} == {1}
    release.set()
    assert len(await running) == 4


async def test_outcomes_come_as_they_end_not_as_they_started() -> None:
    async def execute(step: Step) -> str:
        await asyncio.sleep(0.02 if step.llm_id == A else 0)
        return "slow" if step.llm_id == A else "fast"

    assert await outcomes([Step(A, 1), Step(B, 1)], execute) == ["fast", "slow"]


async def test_cancelling_the_reader_cancels_what_is_in_flight() -> None:
    bench = Bench()
    stuck = asyncio.Event()

    async def execute(step: Step) -> str:
        try:
            await stuck.wait()
        except asyncio.CancelledError:
            bench.cancelled += 1
            raise
        return ""

    reading = asyncio.create_task(outcomes(plan([A, B, C], 3, seed=1), execute))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert bench.cancelled == 3


async def test_closing_the_iterator_stops_the_run() -> None:
    bench = Bench()
    outcomes = run(plan([A, B, C], 9, seed=1), bench.execute, max_in_flight=1)

    await anext(outcomes)
    await outcomes.aclose()

    assert len(bench.started) < 4
    assert bench.now.total() == 0


async def test_what_execute_raises_ends_the_run() -> None:
    async def execute(step: Step) -> str:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await outcomes(plan([A, B], 2, seed=1), execute)


async def test_warm_up_ends_before_the_first_step_even_when_it_fails() -> None:
    seen: list[str] = []

    async def warm_up(llm_id: UUID) -> None:
        await asyncio.sleep(0.01)
        seen.append(f"warm {llm_id.int}")
        if llm_id == B:
            raise RuntimeError("cold")

    async def execute(step: Step) -> str:
        seen.append(f"step {step.llm_id.int}")
        return ""

    steps = [Step(A, 1), Step(B, 1), Step(A, 2)]
    assert len([done async for done in run(steps, execute, warm_up=warm_up)]) == 3
    assert seen[:2] == ["warm 1", "warm 2"]
    assert seen[2:] == ["step 1", "step 2", "step 1"]
