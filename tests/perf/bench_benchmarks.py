"""What a benchmark run costs beside its requests, how far off it is, and what reading it costs.

The run is executed in this process by the function that the workers call; the simulator, the web
server and the watchers are processes of their own. "Orchestration" is this process's CPU time of
a run minus that of the same requests with nobody to save them: database, channel layer, watchers'
hints. Other work on the machine shows in all of it: repeat it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.perf.bench_transport import quantile, spawn

LLMS, ITERATIONS, DETAIL_RESULTS, WATCHERS = 20, 50, 20_000, 500
SEQ = re.compile(r'"seq": (\d+)')
NAME = "sim:ttft=100,gap=2,tokens=30"
ROOT = Path(__file__).resolve().parents[2]


def serve(pipe: Connection) -> None:
    """The simulator's process; each message from the pipe is answered with its TTFTs since."""
    from providers.simulator import running_simulator

    with running_simulator(log_size=1_000_000) as simulator:
        pipe.send(simulator.base_url)
        told = 0
        while pipe.recv():
            fresh = simulator.log[told:]
            told += len(fresh)
            pipe.send([(r.model, r.t_request_read, r.writes[0]) for r in fresh if r.writes])


def watch(pipe: Connection, url: str, run_id: str, watchers: int) -> None:
    """All watchers in one process: where it cannot keep up, it connects again as a client does."""
    import websockets

    async def one() -> int:
        count, seq = 0, -1
        while True:
            after = f"?after={seq}" if seq >= 0 else ""
            stream = f"{url}/api/v1/benchmarks/{run_id}/stream{after}"
            try:
                async with websockets.connect(stream, max_queue=None) as socket:
                    async for message in socket:
                        if found := SEQ.search(str(message)):
                            count, seq = count + 1, int(found[1])
                return count
            except (websockets.WebSocketException, OSError):
                await asyncio.sleep(1)

    async def everybody() -> None:
        pipe.send("started")
        pipe.send(await asyncio.gather(*[one() for _ in range(watchers)]))

    asyncio.run(everybody())


@contextmanager
def web_server(data_dir: str, redis_url: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)]
    env = os.environ | {"ARGUSLM_DATA_DIR": data_dir, "REDIS_URL": redis_url}
    command += ["--access-log", os.devnull, "arguslm.asgi:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def make_llms(base_url: str) -> list[Any]:
    from models_app.models import LLM
    from providers.models import ProviderAccount

    account = ProviderAccount(provider_type="custom_openai_compatible", display_name="Simulator")
    account.seal({"base_url": f"{base_url}/v1", "api_key": "sk-bench"})
    account.save()
    names = [f"{NAME},seed={n}" for n in range(LLMS)]
    return [LLM.objects.create(account=account, upstream_id=name) for name in names]


def cpu_of(work: Callable[[], None]) -> tuple[float, float]:
    """CPU and wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def ordered(llms: list[Any]) -> Any:
    from benchmarks.models import BenchmarkRun

    return BenchmarkRun.order(
        llms, name="Bench", prompt_pack="health_check", num_runs=ITERATIONS, max_tokens=64
    )


def carry(run: Any) -> None:
    from benchmarks import execution
    from benchmarks.models import BenchmarkRun

    claimed = BenchmarkRun.claim(run.pk)
    assert claimed is not None
    execution.execute(claimed)


def probe_only(llms: list[Any]) -> dict[tuple[str, int], float]:
    """The same requests with nobody to save them: TTFT in ms by model and iteration."""
    from benchmarks.execution import _work_of
    from benchmarks.probing import Probing
    from providers.loop import engine_loop

    run, seen = ordered(llms), dict[tuple[str, int], float]()
    names = {llm.pk: llm.upstream_id for llm in llms}

    def tell(done: Any) -> None:
        seen[names[done.step.llm_id], done.step.iteration] = done.outcome.measurement.ttft_ms

    probing = Probing(_work_of(run, llms), engine_loop().clients, tell)
    engine_loop().run(probing.run(run.steps()))
    run.cancel()
    return seen


def saved(run: Any) -> dict[tuple[str, int], float]:
    rows = run.results.values_list("llm__upstream_id", "iteration", "ttft_ms")
    return {(name, iteration): ttft_ms for name, iteration, ttft_ms in rows}


def said_of(seen: dict[tuple[str, int], float], log: list[tuple[str, int, int]]) -> str:
    """TTFT errors: ours against the server's own, request by request in order."""
    true: dict[str, list[float]] = {}
    for name, read_ns, write_ns in log:
        true.setdefault(name, []).append((write_ns - read_ns) / 1e6)
    # The first request to each model was its warm-up, so the others count from 1.
    errors = [abs(ours - true[name][iteration]) for (name, iteration), ours in seen.items()]
    return f"p50 {quantile(errors, 0.5):.3f} ms, p99 {quantile(errors, 0.99):.3f} ms"


def timed_get(path: str, times: int) -> tuple[list[float], int]:
    from rest_framework.test import APIClient

    api = APIClient(HTTP_HOST="localhost", REMOTE_ADDR="127.0.0.1")
    took, size = [], 0
    for _ in range(times):
        began = time.perf_counter()
        size = len(api.get(path).content)
        took.append((time.perf_counter() - began) * 1000)
    return took, size


def big_run(llms: list[Any], status: str) -> Any:
    from django.utils import timezone

    from benchmarks.models import BenchmarkResult

    run = ordered(llms)
    figures = {"ttft_ms": 100.1, "ttfa_ms": 100.1, "total_latency_ms": 1100.5, "tps": 50.2}
    figures |= {"tpot_ms": 20.2, "tps_excluding_ttft": 50.1, "queue_wait_ms": 0.1}
    tokens = {"input_tokens": 20, "output_tokens": 55, "token_source": "usage"}
    now = timezone.now()
    rows = (
        BenchmarkResult(
            run=run, llm=llms[n % LLMS], iteration=n // LLMS + 1, ordinal=n + 1,
            started_at=now, created_at=now, **figures, **tokens,
        )
        for n in range(DETAIL_RESULTS)
    )  # fmt: skip
    BenchmarkResult.objects.bulk_create(rows, batch_size=1_000)
    type(run).objects.filter(pk=run.pk).update(status=status)
    run.refresh_from_db()
    return run


def bench_orchestration(llms: list[Any], pipe: Connection) -> float:
    def log() -> list[tuple[str, int, int]]:
        pipe.send(True)
        return pipe.recv()  # type: ignore[no-any-return]

    probe_only(llms)
    log()
    seen: dict[tuple[str, int], float] = {}
    bare_s, _ = cpu_of(lambda: seen.update(probe_only(llms)))
    bare = said_of(seen, log())
    run = ordered(llms)
    whole_s, wall_s = cpu_of(lambda: carry(run))
    whole = said_of(saved(run), log())
    results = LLMS * ITERATIONS
    print(f"{results} requests over {LLMS} models: {wall_s:.1f} s")
    print(f"  TTFT error {whole}; of the requests alone {bare}")
    print(f"  CPU per result: {whole_s * 1000 / results:.2f} ms, of which the requests "
          f"{bare_s * 1000 / results:.2f} ms, orchestration "
          f"{(whole_s - bare_s) * 1000 / results:.2f} ms")  # fmt: skip
    return whole_s


def bench_reading(llms: list[Any]) -> None:
    from benchmarks import archive

    run = big_run(llms, "completed")
    made_s, _ = cpu_of(lambda: archive.prepare(run))
    print(f"A run of {DETAIL_RESULTS} results, encoded once at its end: {made_s:.2f} s")
    for path in (f"/api/v1/benchmarks/{run.pk}", f"/api/v1/benchmarks/{run.pk}/results"):
        took, size = timed_get(path, 11)
        print(f"  GET …{path[52:]}: p50 {quantile(took, 0.5):.0f} ms, "
              f"max {max(took):.0f} ms, {size / 1e6:.1f} MB")  # fmt: skip
    took, _ = timed_get("/api/v1/benchmarks", 11)
    print(f"  GET list: p50 {quantile(took, 0.5):.0f} ms")
    running = big_run(llms, "running")
    took, _ = timed_get(f"/api/v1/benchmarks/{running.pk}", 3)
    print(f"  GET … while it still runs: p50 {quantile(took, 0.5):.0f} ms")
    running.cancel()


def bench_watchers(llms: list[Any], address: str, alone_s: float) -> None:
    run = ordered(llms)
    ours, theirs = multiprocessing.Pipe()
    watching = spawn(watch, theirs, f"ws://{address}", str(run.pk), WATCHERS)
    ours.recv()
    time.sleep(5)
    watched_s, wall_s = cpu_of(lambda: carry(run))
    ended = time.perf_counter()
    counts = ours.recv() if ours.poll(400) else []
    late_s = time.perf_counter() - ended
    watching.join(10)
    expected = 2 * LLMS * ITERATIONS + 2
    print(f"{WATCHERS} watchers: the run took {wall_s:.1f} s and {watched_s:.2f} s of CPU "
          f"({(watched_s / alone_s - 1) * 100:+.1f} % against none); "
          f"{counts.count(expected)} of them got all {expected} events, "
          f"the last one {late_s:.0f} s after the run")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-watchers", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        data_dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="arguslm-bench-"))
        os.environ |= {"ARGUSLM_DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "arguslm.settings"}
        for name in ("DATABASE_URL", "REDIS_URL"):
            os.environ[name] = ""
        from arguslm.embedded.broker import running_broker

        redis_url = stack.enter_context(running_broker(Path(data_dir) / "broker"))
        os.environ["REDIS_URL"] = redis_url
        import django
        from django.core.management import call_command

        from arguslm.celery import SWITCH_INTERVAL_S

        django.setup()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        logging.disable(logging.INFO)
        call_command("migrate", verbosity=0)
        ours, theirs = multiprocessing.Pipe()
        server = spawn(serve, theirs)
        llms = make_llms(ours.recv())
        alone_s = bench_orchestration(llms, ours)
        bench_reading(llms)
        if not asked.without_watchers:
            address = stack.enter_context(web_server(data_dir, redis_url))
            bench_watchers(llms, address, alone_s)
        ours.send(False)
        server.join(10)


if __name__ == "__main__":
    main()
