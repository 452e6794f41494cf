"""What a scheduled round survives: the whole server, real processes, real signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from providers.simulator import Simulator
from tests.embedded.house import command_of, family, wait_until
from tests.monitoring.fleet import Fleet, apart_s, doubled, lag_s, running_fleet

pytestmark = pytest.mark.slow
# Ten at a time: the whole round takes a dozen seconds, so there is a middle to hit.
SLOW_MODELS = tuple(f"sim:ttft=2500,gap=10,tokens=20,seed={place}" for place in range(40))
MARKERS = {
    "worker": "celery -q -A arguslm worker",
    "beat": "celery -q -A arguslm beat",
    "web": "arguslm.embedded.web",
    "broker": "valkey",
}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path / "data") as running:
        yield running


@pytest.fixture
def mid_round(fleet: Fleet, simulator: Simulator) -> tuple[Fleet, str, list[str]]:
    """A fleet within its first scheduled round: the run's id and the results it has already."""
    fleet.add_account(f"{simulator.base_url}/v1", *SLOW_MODELS)
    fleet.start_schedule()
    run = fleet.wait_for_runs(1, 15)[0]
    return fleet, run["id"], fleet.wait_for_results(run["id"], 10)


def process_of(fleet: Fleet, name: str) -> int:
    """The alerts have a worker of their own, which probes nothing."""
    commands = {pid: command_of(pid) for pid in family(fleet.house.process.pid)}
    found = [pid for pid, words in commands.items() if MARKERS[name] in words]
    return next(pid for pid in found if "arguslm.alerts" not in commands[pid])


def check_that_nothing_was_lost(fleet: Fleet, run_id: str, before: list[str]) -> None:
    ended = fleet.wait_for_end(run_id, 55)
    checks = fleet.checks(run_id)
    assert set(before) <= {check["id"] for check in checks}
    assert (len(checks), ended["done"], doubled(checks)) == (len(SLOW_MODELS), ended["planned"], [])


def check_that_the_next_round_is_on_time(fleet: Fleet) -> None:
    first, second = fleet.wait_for_runs(2, 75)[:2]
    assert apart_s(first, second) == 60
    assert lag_s(second) < 5


@pytest.mark.parametrize("victim", list(MARKERS))
def test_a_killed_process_costs_no_result_no_double_row_and_no_round(
    victim: str, mid_round: tuple[Fleet, str, list[str]]
) -> None:
    fleet, run_id, before = mid_round
    os.kill(process_of(fleet, victim), signal.SIGKILL)
    if victim == "web":
        assert wait_until(lambda: answers(fleet))
    check_that_nothing_was_lost(fleet, run_id, before)
    check_that_the_next_round_is_on_time(fleet)


def answers(fleet: Fleet) -> bool:
    try:
        return bool(fleet.get("/health"))
    except OSError:
        return False


def test_a_broker_away_for_a_minute_costs_no_result_and_one_round_makes_up_for_it(
    mid_round: tuple[Fleet, str, list[str]],
) -> None:
    fleet, run_id, before = mid_round
    broker = process_of(fleet, "broker")
    os.kill(broker, signal.SIGSTOP)
    try:
        time.sleep(60)
        checks = fleet.checks(run_id)
        assert (len(checks), doubled(checks)) == (len(SLOW_MODELS), [])
    finally:
        os.kill(broker, signal.SIGCONT)
    check_that_nothing_was_lost(fleet, run_id, before)
    first, second = fleet.wait_for_runs(2, 60)[:2]
    assert apart_s(first, second) % 60 == 0
    time.sleep(5)
    slots = [run["due_at"] for run in fleet.scheduled()]
    assert len(slots) == len(set(slots))


def test_a_locked_database_costs_no_result(mid_round: tuple[Fleet, str, list[str]]) -> None:
    fleet, run_id, before = mid_round
    path = fleet.house.data_dir / "arguslm.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        time.sleep(30)
        locking.execute("ROLLBACK")
    check_that_nothing_was_lost(fleet, run_id, before)
    check_that_the_next_round_is_on_time(fleet)


def test_three_hundred_hanging_models_do_not_delay_the_rest(
    fleet: Fleet, simulator: Simulator
) -> None:
    address = f"{simulator.base_url}/v1"
    quick = "sim:ttft=50,gap=2,tokens=10"
    for place in range(6):
        hanging = [f"sim:fail=hang,seed={place * 50 + number}" for number in range(50)]
        among = [f"{quick},seed={1000 + place * 5 + number}" for number in range(5)]
        fleet.add_account(address, *hanging, *among)
    alone = [f"{quick},seed={number}" for number in range(50)]
    fleet.add_account(address, *alone)
    fleet.start_schedule()
    runs = fleet.wait_for_runs(4, 230)[:3]
    assert [apart_s(runs[0], run) for run in runs] == [0, 60, 120]
    for run in runs:
        names = {check["model_name"] for check in fleet.checks(run["id"])}
        assert set(alone) <= names
        assert lag_s(run) < 5
    everybody = {c["model_name"] for c in fleet.checks(runs[2]["id"]) if c["status"] == "up"}
    assert len(everybody) == len(alone) + 6 * 5
