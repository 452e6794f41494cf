from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any
from uuid import UUID, uuid4

import pytest

from benchmarks.engine import Arrivals, Load, OpenLoop, Step, plan, run, timetable, warm_up
from providers.measurement import now_ns
from providers.simulator import loop_factory

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
Execute = Callable[[Step, int], Awaitable[str]]


class Bench:
    """Executes steps at once and remembers how many were in flight together."""

    def __init__(self) -> None:
        self.started: list[Step] = []
        self.now: Counter[UUID] = Counter()
        self.most = 0
        self.most_of_one = 0
        self.cancelled = 0

    async def execute(self, step: Step, sched_ns: int) -> str:
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


async def outcomes(steps: list[Step], execute: Execute, *load: Any) -> list[str]:
    return [done.outcome async for done in run(steps, execute, *load)]


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
    assert timetable([A], 0, 1, OpenLoop(1.0)) == []


async def test_an_empty_plan_ends_at_once() -> None:
    bench = Bench()
    assert await outcomes([], bench.execute) == []
    assert await outcomes([], bench.execute, OpenLoop(1.0)) == []


async def test_steps_start_in_the_planned_order_and_all_finish() -> None:
    bench, steps = Bench(), plan([A, B, C], 3, seed=5)

    found = await outcomes(steps, bench.execute)

    assert bench.started == steps
    assert Counter(found) == Counter(f"{s.llm_id.int}.{s.iteration}" for s in steps)


async def test_an_llm_never_runs_against_itself() -> None:
    bench = Bench()

    await outcomes(plan([A, B, C], 5, seed=5), bench.execute, Load(max_in_flight=100))

    assert (bench.most_of_one, bench.most) == (1, 3)


async def test_concurrency_of_two_asks_each_llm_twice_at_once() -> None:
    bench = Bench()

    await outcomes(plan([A, B], 4, seed=5), bench.execute, Load(concurrency_per_llm=2))

    assert (bench.most_of_one, bench.most) == (2, 4)


async def test_no_more_than_the_limit_are_in_flight() -> None:
    bench = Bench()

    await outcomes(plan([uuid4() for _ in range(9)], 2, seed=5), bench.execute, Load(1, 4))

    assert bench.most == 4


async def test_a_round_waits_for_the_slowest_of_the_one_before() -> None:
    release, started = asyncio.Event(), list[Step]()

    async def execute(step: Step, sched_ns: int) -> str:
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
    async def execute(step: Step, sched_ns: int) -> str:
        await asyncio.sleep(0.02 if step.llm_id == A else 0)
        return "slow" if step.llm_id == A else "fast"

    assert await outcomes([Step(A, 1), Step(B, 1)], execute) == ["fast", "slow"]


async def test_cancelling_the_reader_cancels_what_is_in_flight() -> None:
    bench = Bench()
    stuck = asyncio.Event()

    async def execute(step: Step, sched_ns: int) -> str:
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
    outcomes = run(plan([A, B, C], 9, seed=1), bench.execute, Load(max_in_flight=1))

    await anext(outcomes)
    await outcomes.aclose()

    assert len(bench.started) < 4
    assert bench.now.total() == 0


async def test_what_execute_raises_ends_the_run() -> None:
    async def execute(step: Step, sched_ns: int) -> str:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await outcomes(plan([A, B], 2, seed=1), execute)


async def test_warm_up_asks_each_llm_once_and_forgets_its_failures() -> None:
    seen: list[int] = []

    async def execute(llm_id: UUID) -> None:
        await asyncio.sleep(0.01)
        seen.append(llm_id.int)
        if llm_id == B:
            raise RuntimeError("cold")

    await warm_up([A, B, C], execute)

    assert sorted(seen) == [1, 2, 3]


async def test_one_straggler_does_not_empty_the_pipe() -> None:
    release, started = asyncio.Event(), list[int]()

    async def execute(step: Step, sched_ns: int) -> str:
        started.append(step.iteration)
        if step.iteration == 1:
            await release.wait()
        return ""

    running = asyncio.create_task(outcomes(plan([A], 9, seed=1), execute, Load(2)))
    await asyncio.sleep(0.01)
    assert started == [1, 2, 3, 4]
    release.set()
    assert len(await running) == 9


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_a_timetable_follows_from_its_seed_and_keeps_the_rate(arrivals: Arrivals) -> None:
    load = OpenLoop(10.0, arrivals)
    steps = timetable([A, B], 1000, 7, load)

    assert steps == timetable([A, B], 1000, 7, load)
    assert [s.offset_s for s in steps] == sorted(s.offset_s for s in steps)
    for llm_id in (A, B):
        own = [step for step in steps if step.llm_id == llm_id]
        assert [step.iteration for step in own] == list(range(1, 1001))
        assert own[-1].offset_s == pytest.approx(100, rel=0.1)


def test_constant_arrivals_have_one_gap_and_poisson_arrivals_the_gaps_of_chance() -> None:
    def gaps(arrivals: Arrivals) -> list[float]:
        steps = timetable([A], 2000, 3, OpenLoop(4.0, arrivals))
        return [b.offset_s - a.offset_s for a, b in pairwise(steps)]

    assert gaps(Arrivals.CONSTANT) == pytest.approx([0.25] * 1999)
    poisson = gaps(Arrivals.POISSON)
    # An exponential distribution has its mean as its standard deviation.
    assert fmean(poisson) == pytest.approx(0.25, rel=0.1)
    assert pstdev(poisson) == pytest.approx(0.25, rel=0.1)


async def test_an_open_loop_does_not_wait_for_answers() -> None:
    release, due = asyncio.Event(), list[int]()

    async def execute(step: Step, sched_ns: int) -> str:
        due.append(sched_ns)
        if len(due) == 20:
            release.set()
        await release.wait()
        return ""

    steps = timetable([A, B], 10, 1, OpenLoop(200.0))
    assert len(await outcomes(steps, execute, OpenLoop(200.0))) == 20
    offsets = [(at - due[0]) / 1e9 for at in due]
    assert offsets == pytest.approx([s.offset_s - steps[0].offset_s for s in steps], abs=1e-6)


async def test_a_late_start_counts_from_the_timetable() -> None:
    late: list[float] = []

    async def execute(step: Step, sched_ns: int) -> str:
        late.append((now_ns() - sched_ns) / 1e6)
        if step.iteration == 1:
            time.sleep(0.05)
        return ""

    steps = [Step(A, 1, 3.0), Step(A, 2, 3.001)]
    await outcomes(steps, execute, OpenLoop(1.0))

    assert late[1] - late[0] > 40


def test_no_request_of_an_open_loop_leaves_before_its_time() -> None:
    early_ns: list[int] = []

    async def execute(step: Step, sched_ns: int) -> str:
        early_ns.append(sched_ns - now_ns())
        return ""

    load = OpenLoop(100.0)
    # The workers' loop, whose timers know whole milliseconds only.
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(outcomes(timetable([A], 30, 3, load), execute, load))

    assert len(early_ns) == 30
    assert max(early_ns) <= 0
