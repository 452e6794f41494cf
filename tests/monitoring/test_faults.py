"""What a scheduled round survives: the whole server, real processes, real signals."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from arguslm.embedded.broker import running_broker
from providers.simulator import Simulator
from tests.embedded.house import wait_until
from tests.monitoring.conftest import KEYS, on_postgresql
from tests.monitoring.fleet import (
    MARKERS,
    Fleet,
    apart_s,
    check_that_nobody_was_asked_for_nothing,
    doubled,
    lag_s,
    process_of,
    running_fleet,
)
from tests.postgres import Cluster

pytestmark = pytest.mark.slow
MODELS = 40
AWAY_S = 60.0
# No model has its name twice, so that the simulator's log can be asked about each.
seeds = itertools.count()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path / "data") as running:
        yield running


@pytest.fixture
def fleet_on_each_database(tmp_path: Path, on_each_database: dict[str, str]) -> Iterator[Fleet]:
    with running_fleet(tmp_path / "data", **on_each_database) as running:
        yield running


def in_mid_round(fleet: Fleet, simulator: Simulator) -> tuple[str, list[str]]:
    """Within its first scheduled round: the run's id and the results it has already."""
    # Ten at a time: the whole round takes a dozen seconds, so there is a middle to hit.
    fleet.ask("PATCH", "/monitoring/config", {"provider_concurrency": 10})
    names = [f"sim:ttft=2500,gap=10,tokens=20,seed={next(seeds)}" for _ in range(MODELS)]
    fleet.add_account(f"{simulator.base_url}/v1", *names)
    fleet.start_schedule()
    run = fleet.wait_for_runs(1, 30)[0]
    return run["id"], fleet.wait_for_results(run["id"], 10)


def check_that_nothing_was_lost(fleet: Fleet, run_id: str, before: list[str]) -> None:
    ended = fleet.wait_for_end(run_id, 120)
    checks = fleet.checks(run_id)
    assert set(before) <= {check["id"] for check in checks}
    assert (len(checks), ended["done"], doubled(checks)) == (MODELS, ended["planned"], [])


def check_that_the_next_round_is_on_time(fleet: Fleet) -> None:
    """In the very next slot, and not because the slot was made up for when it was over."""
    first, second = fleet.wait_for_runs(2, 120)[:2]
    assert apart_s(first, second) == 60
    assert lag_s(second) < 30


@pytest.mark.parametrize("victim", list(MARKERS))
def test_a_killed_process_costs_no_result_no_double_row_and_no_round(
    victim: str, fleet_on_each_database: Fleet, simulator: Simulator
) -> None:
    fleet = fleet_on_each_database
    run_id, before = in_mid_round(fleet, simulator)
    os.kill(process_of(fleet, victim), signal.SIGKILL)
    assert wait_until(lambda: answers(fleet))
    check_that_nothing_was_lost(fleet, run_id, before)
    check_that_the_next_round_is_on_time(fleet)


def answers(fleet: Fleet) -> bool:
    try:
        return bool(fleet.get("/monitoring/config"))
    except OSError:  # HTTP errors are of this kind as well
        return False


def test_a_broker_that_hangs_for_a_minute_costs_no_result_and_one_round_makes_up_for_it(
    fleet: Fleet, simulator: Simulator
) -> None:
    run_id, before = in_mid_round(fleet, simulator)
    broker = process_of(fleet, "broker")
    os.kill(broker, signal.SIGSTOP)
    try:
        time.sleep(AWAY_S)
        checks = fleet.checks(run_id)
        assert (len(checks), doubled(checks)) == (MODELS, [])
    finally:
        os.kill(broker, signal.SIGCONT)
    check_that_nothing_was_lost(fleet, run_id, before)
    check_that_one_round_made_up_for_the_time_away(fleet)


def test_a_broker_that_is_gone_for_a_minute_costs_no_result_and_one_round_makes_up_for_it(
    tmp_path: Path, simulator: Simulator
) -> None:
    with ExitStack() as running:
        broker = ExitStack()
        running.callback(lambda: broker.close())
        url = broker.enter_context(running_broker(tmp_path))
        overrides = KEYS | {"REDIS_URL": url}
        fleet = running.enter_context(running_fleet(tmp_path / "data", **overrides))
        run_id, before = in_mid_round(fleet, simulator)
        broker.close()
        time.sleep(AWAY_S)
        checks = fleet.checks(run_id)
        assert (len(checks), doubled(checks)) == (MODELS, [])
        assert broker.enter_context(running_broker(tmp_path)) == url
        check_that_nothing_was_lost(fleet, run_id, before)
        check_that_one_round_made_up_for_the_time_away(fleet)


def check_that_one_round_made_up_for_the_time_away(fleet: Fleet) -> None:
    first, second, third = fleet.wait_for_runs(3, 180)[:3]
    assert apart_s(first, second) % 60 == 0
    assert apart_s(second, third) == 60
    slots = [run["due_at"] for run in fleet.scheduled()]
    assert len(slots) == len(set(slots))


def test_a_locked_database_costs_no_result(fleet: Fleet, simulator: Simulator) -> None:
    run_id, before = in_mid_round(fleet, simulator)
    path = fleet.house.data_dir / "arguslm.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        time.sleep(30)
        locking.execute("ROLLBACK")
    check_that_nothing_was_lost(fleet, run_id, before)
    check_that_the_next_round_is_on_time(fleet)


def test_a_database_server_that_is_away_costs_no_result_and_no_probe(
    tmp_path: Path, simulator: Simulator, cluster: Cluster
) -> None:
    with running_fleet(tmp_path / "data", **on_postgresql(cluster)) as fleet:
        run_id, before = in_mid_round(fleet, simulator)
        cluster.stop()
        try:
            time.sleep(30)
        finally:
            cluster.start()
        assert wait_until(lambda: answers(fleet), 30)
        check_that_nothing_was_lost(fleet, run_id, before)
        check_that_the_next_round_is_on_time(fleet)
        fleet.stop_schedule()
        # What was measured while nobody could store it was stored and not measured again.
        check_that_nobody_was_asked_for_nothing(fleet, simulator.log)


def test_three_hundred_hanging_models_do_not_delay_the_rest(
    fleet_on_each_database: Fleet, simulator: Simulator
) -> None:
    fleet, address = fleet_on_each_database, f"{simulator.base_url}/v1"
    quick = "sim:ttft=50,gap=2,tokens=10"
    for _ in range(6):
        hanging = [f"sim:fail=hang,seed={next(seeds)}" for _ in range(50)]
        among = [f"{quick},seed={next(seeds)}" for _ in range(5)]
        fleet.add_account(address, *hanging, *among)
    alone = [f"{quick},seed={next(seeds)}" for _ in range(50)]
    fleet.add_account(address, *alone)
    fleet.start_schedule()
    runs = fleet.wait_for_runs(4, 300)[:3]
    assert [apart_s(runs[0], run) for run in runs] == [0, 60, 120]
    for run in runs:
        names = {check["model_name"] for check in fleet.checks(run["id"])}
        assert set(alone) <= names
        assert lag_s(run) < 30
    everybody = {c["model_name"] for c in fleet.checks(runs[2]["id"]) if c["status"] == "up"}
    assert len(everybody) == len(alone) + 6 * 5
