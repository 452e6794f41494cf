"""Where clients are compared: the simulator on one core, one client process at a time on another.

Both sides stamp with CLOCK_MONOTONIC, so the server's log tells what a client should have seen.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from providers.simulator import running_simulator

TTFT_MS, GAP_MS, TOKENS = 200, 20, 50
MODEL = f"sim:ttft={TTFT_MS},gap={GAP_MS},tokens={TOKENS}"
PROMPT = "Count to fifty."
STREAM_S = (TTFT_MS + GAP_MS * (TOKENS - 1)) / 1000


@dataclass(frozen=True, slots=True)
class Truth:
    """One stream as the server wrote it, nanoseconds."""

    read_ns: int
    first_ns: int
    last_ns: int
    longest_write_ns: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """One stream as its client saw it. ``request_id`` is the server's name for it.

    ``sent_ns`` to ``last_ns`` are None where a client did not look.
    """

    request_id: str
    sent_ns: int
    first_ns: int
    last_ns: int
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Visit:
    """What one client process did and what it cost; ``waited_s`` is how long it was ready to run
    while others had its processor."""

    sightings: list[Sighting]
    cpu_s: float
    wall_s: float
    rss_mb: float
    waited_s: float = 0.0


def waited_ns() -> int:
    """Run delay of the calling thread so far (Linux: proc_pid_schedstat); 0 elsewhere."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return 0


class Arena:
    """The running simulator; ``client_core`` is where its clients belong."""

    def __init__(self, base_url: str, client_core: int | None, pipe: Connection) -> None:
        self.base_url = base_url
        self.client_core = client_core
        self._pipe = pipe

    def truths(self) -> dict[str, Truth]:
        """The streams since the last call."""
        self._pipe.send(True)
        told: dict[str, Truth] = self._pipe.recv()
        return told


@contextlib.contextmanager
def open_arena() -> Iterator[Arena]:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    client_core, server_core = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    ours, theirs = multiprocessing.Pipe()
    server = spawn(_serve, theirs, server_core)
    theirs.close()
    try:
        yield Arena(ours.recv(), client_core, ours)
    finally:
        ours.send(False)
        server.join()


def spawn(target: Callable[..., None], *arguments: Any) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    return process


def pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def unpin(pid: int = 0) -> None:
    """A process starts on the core that its parent is pinned to."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, range(os.cpu_count() or 1))


def _serve(pipe: Connection, core: int | None) -> None:
    pin(core)
    with running_simulator(log_size=100_000) as simulator:
        gc.freeze()
        pipe.send(simulator.base_url)
        told: set[str] = set()
        while pipe.recv():
            log = simulator.log
            fresh = [one for one in log if one.writes and one.request_id not in told]
            told = {one.request_id for one in log}
            pipe.send(
                {
                    one.request_id: Truth(
                        one.t_request_read, one.writes[0], one.writes[-1], one.longest_write_ns
                    )
                    for one in fresh
                }
            )
