"""Two clocks and three workers on one database, as in production: real processes."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from providers.simulator import RequestRecord, Simulator
from tests.embedded.house import ROOT, make_environment, wait_until
from tests.monitoring.fleet import (
    Fleet,
    apart_s,
    check_that_nobody_was_asked_for_nothing,
    doubled,
    running_fleet,
)

pytestmark = pytest.mark.slow
ACCOUNTS, MODELS, LIMIT = 12, 8, 3
seeds = itertools.count(10_000)
Crowd = tuple[Fleet, Sequence[subprocess.Popen[bytes]]]


@pytest.fixture
def crowd(tmp_path: Path, on_each_database: dict[str, str]) -> Iterator[Crowd]:
    """A server with another beat and two more workers beside its own; those two come along."""
    data_dir = tmp_path / "data"
    with running_fleet(data_dir, **on_each_database) as fleet, ExitStack() as running:
        environment = make_environment(data_dir, **on_each_database)

        def start(name: str, *words: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "celery", "-q", "-A", "arguslm", *words]
            log = running.enter_context((data_dir / f"{name}.log").open("wb"))
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        start("beat-2", "beat", "--schedule", str(tmp_path / "beat"), "--pidfile", "")
        threads = ("-P", "threads", "-c", "4")
        workers = [start(n, "worker", *threads, "-n", f"{n}@%h") for n in ("two", "three")]
        logs = [data_dir / f"{name}.log" for name in ("two", "three")]
        assert wait_until(lambda: all("ready" in log.read_text() for log in logs), 60)
        yield fleet, workers


def add_models(fleet: Fleet, simulator: Simulator) -> list[list[str]]:
    """The names of the models of each account, all of which have a limit."""
    accounts = []
    for _ in range(ACCOUNTS):
        names = [f"sim:ttft=300,gap=5,tokens=10,seed={next(seeds)}" for _ in range(MODELS)]
        fleet.add_account(f"{simulator.base_url}/v1", *names)
        accounts.append(names)
    fleet.ask("PATCH", "/monitoring/config", {"provider_concurrency": LIMIT})
    return accounts


def most_at_once(records: Sequence[RequestRecord]) -> int:
    begins = [(record.t_request_read, 1) for record in records]
    ends = [(record.t_last_write or 0, -1) for record in records]
    running = itertools.accumulate(step for _, step in sorted(begins + ends))
    return max(running)


def test_no_model_is_probed_twice_in_a_round_and_limits_hold_for_all_of_them_together(
    crowd: Crowd, simulator: Simulator
) -> None:
    fleet, _ = crowd
    accounts = add_models(fleet, simulator)
    fleet.start_schedule()
    fleet.wait_for_runs(1, 30)
    # The same models at the same time once more: their accounts are in many hands then.
    manual = fleet.ask("POST", "/monitoring/run")["run_id"]
    first, second = fleet.wait_for_runs(2, 120)[:2]
    fleet.stop_schedule()
    assert apart_s(first, second) == 60
    for run_id in (first["id"], second["id"], manual):
        ended = fleet.wait_for_end(run_id, 60)
        checks = fleet.checks(run_id)
        assert (len(checks), ended["done"], doubled(checks)) == (ACCOUNTS * MODELS, len(checks), [])
    log = simulator.log
    check_that_nobody_was_asked_for_nothing(fleet, log)
    for names in accounts:
        assert most_at_once([record for record in log if record.model in names]) <= LIMIT


def test_a_killed_worker_among_several_costs_no_result_and_no_double_row(
    crowd: Crowd, simulator: Simulator
) -> None:
    fleet, workers = crowd
    add_models(fleet, simulator)
    fleet.start_schedule()
    run = fleet.wait_for_runs(1, 30)[0]
    before = fleet.wait_for_results(run["id"], 10)
    os.kill(workers[0].pid, signal.SIGKILL)
    fleet.wait_for_end(run["id"], 120)
    checks = fleet.checks(run["id"])
    assert set(before) <= {check["id"] for check in checks}
    assert (len(checks), doubled(checks)) == (ACCOUNTS * MODELS, [])
