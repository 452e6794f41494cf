"""What monitoring carries: rounds of growing size, a schedule kept, a long history read.

Each database is measured by processes of its own: SQLite always, PostgreSQL where one is installed
(a temporary one). The simulated provider is yet another process. Other work on the machine shows
in every wall time; CPU times are of the measuring process alone.

    bench_monitoring.py                 under three minutes: 1,000 LLMs, 200,000 checks
    bench_monitoring.py --full          10,000 LLMs, 15 minutes of schedule, 10 million checks
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests import postgres
from tests.embedded.house import running_house

ROOT = Path(__file__).resolve().parents[2]
MODEL = "sim:ttft=200,gap=20,tokens=30"
LLMS_OF_ACCOUNT = 50
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "arguslm.settings",
    "SECRET_KEY": "for-the-bench-" + "x" * 50,
    "ENCRYPTION_KEY": "2c4vE7Qm1mT6oJY2J9d0m1cQyqk0m1qkZf0c2o1cQyo=",
    "REDIS_URL": "",
}


# --- what is measured, each in a process of its own ----------------------------------------------


def rounds(options: argparse.Namespace) -> None:
    """One round each of growing size, by the code that workers run, with the default settings."""
    from django.utils import timezone

    from monitoring import rounds as monitoring_rounds
    from monitoring import shares
    from monitoring.models import Round
    from monitoring.rollups import roll_up_waiting
    from providers.adapters import warm_up
    from providers.loop import engine_loop

    engine_loop().run(warm_up(engine_loop().clients), timeout_s=60)
    print("  LLMs   wall s  probes/s  CPU ms/probe  missing  fold CPU ms/check")
    for size in options.sizes:
        _seed(options.simulator, size)
        opened, _ = monitoring_rounds.open_manual(timezone.now())
        wall, cpu = time.perf_counter(), time.process_time()
        shares.work_on(*opened.shares.values_list("pk", flat=True))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        done = Round.objects.get(pk=opened.pk).checks.exclude(status="down").count()
        fold = time.process_time()
        roll_up_waiting(600)
        fold = time.process_time() - fold
        print(
            f"{size:6,} {wall:8.1f} {size / wall:9.0f} {1000 * cpu / size:13.2f} "
            f"{size - done:8} {1000 * fold / size:18.2f}",
            flush=True,
        )


def seed(options: argparse.Namespace) -> None:
    from django.core.management import call_command

    from monitoring.models import MonitoringConfig

    call_command("migrate", verbosity=0)
    MonitoringConfig.load()
    MonitoringConfig.objects.update(interval_minutes=1, next_due_at=None)
    _seed(options.simulator, options.llms)


def schedule(options: argparse.Namespace) -> None:
    """Reads what a whole server has recorded: lag of each probe behind its own time."""
    from monitoring.models import MonitoringConfig, Round
    from monitoring.works import _timing

    config = MonitoringConfig.load()
    ended = list(Round.objects.filter(status="completed", trigger="schedule").order_by("due_at"))
    lags: list[float] = []
    late: list[float] = []
    for past in ended:
        timing = _timing(past, config, past.created_at)
        for llm_id, at in past.checks.values_list("llm", "created_at"):
            offset_s = (timing.start_ns(llm_id) - timing.from_ns) / 1e9
            late.append((at - past.due_at).total_seconds())
            lags.append(late[-1] - offset_s)
    gaps = [(b.due_at - a.due_at).total_seconds() for a, b in pairwise(ended)]
    missed = sum(past.planned for past in ended) - len(lags)
    waits = [past.overlapping for past in ended]
    print(
        f"  {len(ended)} rounds of {options.llms:,} LLMs each minute: schedule lag p50 "
        f"{_at(lags, 0.5):.2f} s, p99 {_at(lags, 0.99):.2f} s, most {max(lags):.2f} s "
        f"(from the slot itself p99 {_at(late, 0.99):.2f} s); missed rounds "
        f"{sum(round(gap / 60) - 1 for gap in gaps)}, missed checks {missed}, sat out {sum(waits)}"
    )


def fill(options: argparse.Namespace) -> None:
    from django.core.management import call_command

    from tests.perf.past import make_past, now, told

    call_command("migrate", verbosity=0)
    start = time.monotonic()
    make_past(options.rows, 1000, now())
    print(f"  filled: {told(start)}")


def reading(options: argparse.Namespace) -> None:
    """The API through Django's whole stack, without a socket: client and server are one process."""
    from rest_framework.test import APIClient

    from models_app.models import LLM

    api = APIClient(HTTP_HOST="localhost", REMOTE_ADDR="127.0.0.1")
    base = "/api/v1/monitoring"
    ids = [str(pk) for pk in LLM.objects.order_by("id").values_list("pk", flat=True)[:50]]
    total = api.get(f"{base}/uptime?limit=1").json()["total"]
    week = _stamp(timedelta(days=7))
    asked = {
        "uptime list": f"{base}/uptime",
        "at half of it": f"{base}/uptime?offset={total // 2}",
        "at 90 %": f"{base}/uptime?offset={total * 9 // 10}",
        "of one model": f"{base}/uptime?model_id=%s",
        "down": f"{base}/uptime?status=down",
        "since 3 days": f"{base}/uptime?since={_stamp(timedelta(days=3, minutes=17))}",
        "enabled only": f"{base}/uptime?enabled_only=true",
        "summary": f"{base}/summary",
        "timeseries 24 h": f"{base}/timeseries?model_id=%s",
        "timeseries 7 d": f"{base}/timeseries?model_id=%s&since={week}",
        "by day 30 d": f"{base}/timeseries?model_id=%s&bucket=day",
        "/metrics": "/metrics",
    }
    print(f"  {total:,} checks; ms: p50, p95, CPU of this process")
    for name, url in asked.items():
        walls, cpus = _ask(api, url, ids, options.requests)
        print(
            f"  {name:16} {_at(walls, 0.5):7.1f} {_at(walls, 0.95):7.1f} "
            f"{statistics.median(cpus):7.1f}",
            flush=True,
        )


def export(options: argparse.Namespace) -> None:
    from monitoring.counting import Matching
    from monitoring.exports import BLOCKS

    blocks, rows = BLOCKS[options.kind](Matching().rows()), 0
    start, cpu, size = time.perf_counter(), time.process_time(), 0
    for block in blocks:
        size += len(block)
        rows += block.count(b'"model_name"') if options.kind == "json" else block.count(b"\n")
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  export {options.kind}: {rows:,} rows, {size >> 20:,} MB, {rows / wall:,.0f} rows/s, "
        f"{rows / cpu:,.0f} rows per CPU second, {peak:.0f} MB at most"
    )


INSIDE: dict[str, Callable[[argparse.Namespace], None]] = {
    "rounds": rounds,
    "seed": seed,
    "schedule": schedule,
    "fill": fill,
    "reading": reading,
    "export": export,
}


def _seed(simulator: str, number: int) -> None:
    """Exactly `number` monitored LLMs, in accounts of LLMS_OF_ACCOUNT."""
    from models_app.models import LLM
    from providers.models import ProviderAccount

    ProviderAccount.objects.all().delete()
    accounts = [
        ProviderAccount(provider_type="lm_studio", display_name=f"Account {place}")
        for place in range(-(-number // LLMS_OF_ACCOUNT))
    ]
    for account in accounts:
        account.seal({"base_url": f"{simulator}/v1"})
    ProviderAccount.objects.bulk_create(accounts)
    LLM.objects.bulk_create(
        LLM(
            account=accounts[place // LLMS_OF_ACCOUNT],
            upstream_id=f"{MODEL},seed={place}",
            enabled_for_monitoring=True,
        )
        for place in range(number)
    )


def _ask(api: Any, url: str, ids: list[str], requests: int) -> tuple[list[float], list[float]]:
    walls, cpus = [], []
    for number in range(requests + 2):
        start, cpu = time.perf_counter(), time.process_time()
        answer = api.get(url.replace("%s", ids[number % len(ids)]))
        assert answer.status_code == 200, answer.content[:300]
        walls.append(1000 * (time.perf_counter() - start))
        cpus.append(1000 * (time.process_time() - cpu))
    return walls[2:], cpus[2:]


def _stamp(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(values: list[float], p: float) -> float:
    from providers.statistics.quantiles import quantile

    return quantile(values, p)


# --- who measures it -----------------------------------------------------------------------------


def measure(name: str, data_dir: Path, database_url: str, options: argparse.Namespace) -> None:
    print(f"\n{name}, load {os.getloadavg()[0]:.1f}", flush=True)
    environment = (
        os.environ
        | SETTINGS
        | {
            "ARGUSLM_DATA_DIR": str(data_dir),
            "DATABASE_URL": database_url,
            "PYTHONPATH": str(ROOT),
        }
    )

    def inside(part: str, **arguments: Any) -> None:
        said = {"simulator": options.simulator, **arguments}
        subprocess.run(
            [sys.executable, __file__, "--inside", part, "--said", json.dumps(said)],
            env=environment,
            check=True,
        )

    if "rounds" in options.parts:
        inside("seed", llms=1)
        inside("rounds", sizes=options.sizes)
    if "schedule" in options.parts:
        inside("seed", llms=options.llms)
        with running_house(data_dir, **{k: environment[k] for k in (*SETTINGS, "DATABASE_URL")}):
            time.sleep(60 * options.minutes + 5)
        inside("schedule", llms=options.llms)
    if "history" in options.parts:
        inside("seed", llms=0)
        inside("fill", rows=options.rows)
        inside("reading", requests=options.requests)
        for kind in ("csv", "json"):
            inside("export", kind=kind)


def serve(pipe: Connection) -> None:
    """The simulated provider's process."""
    from providers.simulator import running_simulator

    with running_simulator() as simulator:
        pipe.send(simulator.base_url)
        pipe.recv()


@contextmanager
def simulated() -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--parts", nargs="+", default=["rounds", "schedule", "history"])
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--llms", type=int, default=1000, help="of the schedule")
    parser.add_argument("--minutes", type=float, help="of the schedule")
    parser.add_argument("--rows", type=int, help="of the history")
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--inside", choices=list(INSIDE), help=argparse.SUPPRESS)
    parser.add_argument("--said", type=json.loads, default={}, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        vars(options).update(options.said)
        run_inside(options)
        return
    options.sizes = options.sizes or ([100, 1000, 10_000] if options.full else [100, 1000])
    options.minutes = options.minutes or (15 if options.full else 1)
    options.rows = options.rows or (10_000_000 if options.full else 200_000)
    with simulated() as options.simulator:
        if options.database != "postgresql":
            with tempfile.TemporaryDirectory(prefix="arguslm-bench-") as place:
                measure("SQLite", Path(place), "", options)
        if options.database != "sqlite":
            measure_postgresql(options)


def measure_postgresql(options: argparse.Namespace) -> None:
    if not postgres.is_installed():
        print("\nPostgreSQL is not installed here and not measured.")
        return
    memory = "-c shared_buffers=512MB -c max_wal_size=4GB -c max_connections=100"
    with (
        tempfile.TemporaryDirectory(prefix="arguslm-bench-") as place,
        postgres.running_postgres(memory) as url,
    ):
        measure("PostgreSQL", Path(place), url, options)


def run_inside(options: argparse.Namespace) -> None:
    import logging

    import django

    django.setup()
    logging.disable(logging.WARNING)
    INSIDE[options.inside](options)


if __name__ == "__main__":
    main()
