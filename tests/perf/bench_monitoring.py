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
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests import postgres
from tests.embedded.house import running_house
from tests.perf.monitored import INSIDE

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "arguslm.settings",
    "SECRET_KEY": "for-the-bench-" + "x" * 50,
    "ENCRYPTION_KEY": "2c4vE7Qm1mT6oJY2J9d0m1cQyqk0m1qkZf0c2o1cQyo=",
    "REDIS_URL": "",
}


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
        said = {"simulator": options.simulator, "of_account": options.of_account, **arguments}
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
        inside("fill", rows=options.rows, llms=options.llms)
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
    parser.add_argument("--llms", type=int, default=1000, help="of schedule and history")
    parser.add_argument("--of-account", type=int, default=50, help="LLMs of each account")
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
