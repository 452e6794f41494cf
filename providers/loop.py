"""The one event loop of this process that talks to providers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from providers.adapters.clients import ClientPool

T = TypeVar("T")


class EngineLoop:
    """An asyncio loop on a thread of its own, with the clients that live on it."""

    def __init__(self, make_pool: Callable[[], ClientPool] = ClientPool) -> None:
        self.pid = os.getpid()
        self.clients = make_pool()
        self._loop = _new_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="engine-loop", daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        return self._is_closing or not self._thread.is_alive()

    def submit(self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Starts the coroutine from any thread. Raises RuntimeError after ``close``."""
        if self.is_closed:
            coro.close()
            raise RuntimeError("the engine loop is closed")
        return asyncio.run_coroutine_threadsafe(self._tracked(coro), self._loop)

    def run(self, coro: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Waits for the result. Raises TimeoutError, the coroutine then being cancelled."""
        if threading.current_thread() is self._thread:
            coro.close()
            raise RuntimeError("run() on the engine loop itself would wait for ever")
        future = self.submit(coro)
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise

    def drain(self, timeout_s: float) -> bool:
        """Waits until nothing is in flight; False when the time was not enough."""
        return asyncio.run_coroutine_threadsafe(self._drained(timeout_s), self._loop).result()

    def close(self, drain_s: float = 0.0) -> None:
        """Lets work in flight end for ``drain_s``, cancels the rest and ends the thread."""
        if self._is_closing:
            return
        self._is_closing = True
        asyncio.run_coroutine_threadsafe(self._shut_down(drain_s), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _tracked(self, coro: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await coro
        finally:
            self._tasks.discard(task)

    async def _drained(self, timeout_s: float) -> bool:
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        return not self._tasks

    async def _shut_down(self, drain_s: float) -> None:
        await self._drained(drain_s)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.clients.close()
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


_lock = threading.Lock()
_current: EngineLoop | None = None
_proxy: str | None = None

# Python's own: 700. A collection of the young costs 50 us, and most objects of an exchange die
# without one.
YOUNG_OBJECTS = 20_000


def use_proxy(url: str | None) -> None:
    """The proxy of every loop that starts from now on; None for none."""
    global _proxy
    _proxy = url


def settle_memory() -> None:
    """Takes what a warm process holds out of the garbage collector's sight.

    A full collection walks every object of the process, and no stream is stamped meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


def engine_loop() -> EngineLoop:
    """This process's loop, started on first use; a forked child gets its own."""
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid() or _current.is_closed:
            _current = EngineLoop(partial(ClientPool, proxy=_proxy))
        return _current


def close_engine_loop(drain_s: float = 0.0) -> None:
    """Ends this process's loop if one was started."""
    global _current
    with _lock:
        mine, _current = _current, None
    if mine is not None and mine.pid == os.getpid():
        mine.close(drain_s)


def _after_fork() -> None:
    """The parent's thread does not exist here, and its lock may have been held."""
    global _lock, _current
    _lock, _current = threading.Lock(), None


os.register_at_fork(after_in_child=_after_fork)
