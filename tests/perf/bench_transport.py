"""What a probe costs and how far off it is: our transport, httpx2's and the openai SDK as usual.

Every client runs in a process of its own on one core, against the simulator on another core. The
simulator's log gives the true write times; both clocks are CLOCK_MONOTONIC. "TTFT error" compares
with the server's own view (request read to first write), "stamp error" the first content's stamp
with its write. Other work on the machine shows in both: repeat it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from providers.simulator import loop_factory, running_simulator
from tests.perf.clients import (
    CLIENTS,
    GAP_MS,
    STREAM_S,
    TOKENS,
    TTFT_MS,
    USUAL,
    Ask,
    Client,
    Sighting,
)


@dataclass(frozen=True, slots=True)
class Result:
    sightings: list[Sighting]
    cpu_s: float
    wall_s: float
    rss_mb: float


def serve(pipe: Connection, core: int | None) -> None:
    """The simulator's process; each message from the pipe is answered with the log since."""
    pin(core)
    with running_simulator(log_size=1_000_000) as simulator:
        gc.freeze()
        pipe.send(simulator.base_url)
        told = 0
        while pipe.recv():
            log = simulator.log
            fresh = [record for record in log[told:] if record.writes]
            pipe.send({r.parameters["max_tokens"]: (r.t_request_read, r.writes[0]) for r in fresh})
            told = len(log)


def pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def measure(
    pipe: Connection, nth: int, base_url: str, streams: int, seconds: float, core: int | None
) -> None:
    """The client's process: warm up, then ``streams`` workers that ask again and again."""
    pin(core)
    client = CLIENTS[nth]
    make_loop = loop_factory() if client.tuned else asyncio.new_event_loop
    with contextlib.closing(pipe), asyncio.Runner(loop_factory=make_loop) as runner:
        pipe.send(runner.run(load(client, base_url, streams, seconds)))


async def load(client: Client, base_url: str, streams: int, seconds: float) -> Result:
    ask = client.make(base_url)
    await asyncio.gather(*[ask() for _ in range(streams)])
    gc.collect()
    if client.tuned:
        gc.freeze()
        gc.disable()
    sightings: list[Sighting] = []
    start, cpu = time.perf_counter(), time.process_time()
    until = start + seconds
    await asyncio.gather(*[work(ask, k / streams, until, sightings) for k in range(streams)])
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - start
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(sightings, cpu_s, wall_s, rss_mb)


async def work(ask: Ask, phase: float, until: float, sightings: list[Sighting]) -> None:
    """Spread the starts over one stream's length, so that the load is even."""
    await asyncio.sleep(phase * STREAM_S)
    while time.perf_counter() < until:
        sightings.append(await ask())


def quantile(values: list[float], p: float) -> float:
    ordered = sorted(values)
    at = p * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def report(name: str, result: Result, log: dict[int, tuple[int, int]]) -> float:
    """Prints one row; returns CPU-ms per 1,000 tokens."""
    tokens = len(result.sightings) * TOKENS
    ttft, stamp = [], []
    for seen in result.sightings:
        read_ns, write_ns = log[seen.name]
        ttft.append(abs((seen.first_ns - seen.sent_ns) - (write_ns - read_ns)) / 1e6)
        stamp.append(abs(seen.first_ns - write_ns) / 1e6)
    cost = result.cpu_s * 1e6 / tokens
    errors = [quantile(values, p) for values in (ttft, stamp) for p in (0.5, 0.99)]
    speeds = [tokens / result.wall_s, tokens / result.cpu_s, result.rss_mb]
    row = [f"{cost:9.1f}", *[f"{e:9.2f}" for e in errors], *[f"{s:9,.0f}" for s in speeds]]
    print(f"{name:38}", *row, flush=True)
    return cost


def bench(base_url: str, pipe: Connection, streams: int, seconds: float, core: int | None) -> None:
    offered = streams * TOKENS / STREAM_S
    print(f"\n{streams} streams of {TOKENS} tokens: {TTFT_MS} ms, then one every {GAP_MS} ms")
    groups = (("", 38), ("CPU-ms", 9), ("TTFT error, ms", 20), ("stamp error, ms", 20))
    figures = ("/1,000", "p50", "p99", "p50", "p99", f"/{offered:,.0f}", "per core", "RSS MB")
    print(*[f"{title:>{width}}" for title, width in groups], f"{'tokens/s':>18}", sep="")
    print(" " * 38, *[f"{title:>9}" for title in figures])
    costs = {}
    for nth, client in enumerate(CLIENTS):
        ours, theirs = multiprocessing.Pipe()
        process = spawn(measure, theirs, nth, base_url, streams, seconds, core)
        theirs.close()
        result = ours.recv()
        process.join()
        pipe.send(True)
        costs[client.name] = report(client.name, result, pipe.recv())
    for name, cost in costs.items():
        print(f"{name:38}{costs[USUAL.name] / cost:8.1f} times cheaper than {USUAL.name}")


def spawn(target: Callable[..., None], *arguments: Any) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    return process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    client_core, server_core = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    ours, theirs = multiprocessing.Pipe()
    server = spawn(serve, theirs, server_core)
    theirs.close()
    try:
        base_url = ours.recv()
        for streams in options.streams:
            bench(base_url, ours, streams, options.seconds, client_core)
    finally:
        ours.send(False)
        server.join()


if __name__ == "__main__":
    main()
