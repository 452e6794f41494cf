from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from providers import loop as loop_module
from providers.loop import EngineLoop, close_engine_loop, engine_loop, settle_memory


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_engine_loop()


async def where() -> tuple[str, int]:
    return threading.current_thread().name, id(asyncio.get_running_loop())


def test_all_work_runs_on_one_loop_of_one_thread() -> None:
    places = {engine_loop().run(where(), timeout_s=5) for _ in range(3)}

    assert len(places) == 1
    assert places.pop()[0] == "engine-loop"
    assert engine_loop() is engine_loop()


def test_many_threads_may_submit_at_once() -> None:
    engine = engine_loop()

    async def double(n: int) -> int:
        await asyncio.sleep(0.001)
        return 2 * n

    futures = [engine.submit(double(n)) for n in range(50)]
    assert [future.result(5) for future in futures] == [2 * n for n in range(50)]


def test_an_error_reaches_the_caller() -> None:
    async def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        engine_loop().run(fail(), timeout_s=5)


def test_what_takes_too_long_is_cancelled() -> None:
    cancelled = threading.Event()

    async def linger() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError):
        engine_loop().run(linger(), timeout_s=0.05)
    assert cancelled.wait(5)


def test_draining_waits_for_work_in_flight() -> None:
    engine = engine_loop()
    future = engine.submit(asyncio.sleep(0.1, "done"))

    assert not engine.drain(0.01)
    assert engine.drain(5)
    assert future.result(0) == "done"


def test_closing_cancels_what_is_left_and_ends_the_thread() -> None:
    engine = EngineLoop()
    future = engine.submit(asyncio.sleep(30))
    engine.close(drain_s=0.01)

    assert future.cancelled()
    assert engine.is_closed
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(asyncio.sleep(0))
    engine.close()


def test_closing_lets_short_work_end() -> None:
    engine = EngineLoop()
    future = engine.submit(asyncio.sleep(0.05, "done"))
    engine.close(drain_s=5)

    assert future.result(0) == "done"


def test_after_closing_the_next_use_starts_a_new_loop() -> None:
    first = engine_loop()
    close_engine_loop()

    assert first.is_closed
    assert engine_loop().run(asyncio.sleep(0, 7), timeout_s=5) == 7


def test_waiting_for_itself_is_refused() -> None:
    engine = engine_loop()

    async def wait_for_itself() -> None:
        engine.run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="for ever"):
        engine.run(wait_for_itself(), timeout_s=5)


def _report(channel: Connection) -> None:
    channel.send((os.getpid(), engine_loop().pid, engine_loop().run(asyncio.sleep(0, 7), 5)))
    close_engine_loop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    engine_loop().run(asyncio.sleep(0), timeout_s=5)
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_report, args=(there,))
    child.start()
    pid, loop_pid, answer = here.recv() if here.poll(10) else (0, -1, None)
    child.join(10)

    assert (pid, answer) == (loop_pid, 7)
    assert loop_pid != os.getpid()


def test_the_loop_is_uvloop_where_there_is_one() -> None:
    uvloop = pytest.importorskip("uvloop")

    engine = engine_loop()
    assert isinstance(engine._loop, uvloop.Loop)
    assert loop_module.engine_loop() is engine


def test_settled_memory_is_out_of_the_collectors_sight() -> None:
    before = gc.get_threshold()
    try:
        settle_memory()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
