"""The wall clock is put forward or back under a whole server: real processes, a real step."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.simulator import Simulator
from tests.monitoring.conftest import KEYS
from tests.monitoring.fleet import Fleet, apart_s, doubled, process_of, running_fleet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine"),
]
SOURCE = Path(__file__).with_name("stepped_clock.c")
HOUR_S = 3600
MODELS = 40


@dataclass(frozen=True)
class Stepped:
    """A fleet, and the clock that all its processes look at."""

    fleet: Fleet
    clock: Path

    def step(self, seconds: int) -> None:
        with self.clock.open("r+b") as file:
            file.write(struct.pack("q", seconds))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("clock") / "stepped_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", made, SOURCE, "-ldl"], check=True)
    return made


@pytest.fixture
def stepped(tmp_path: Path, library: Path, simulator: Simulator) -> Iterator[Stepped]:
    """In the middle of its first scheduled round."""
    clock = tmp_path / "clock"
    clock.write_bytes(bytes(8))
    preloaded = {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(clock)}
    with running_fleet(tmp_path / "data", **KEYS, **preloaded) as fleet:
        names = [f"sim:ttft=2500,gap=10,tokens=20,seed={place}" for place in range(MODELS)]
        fleet.add_account(f"{simulator.base_url}/v1", *names)
        fleet.ask("PATCH", "/monitoring/config", {"provider_concurrency": 10})
        fleet.start_schedule()
        fleet.wait_for_results(fleet.wait_for_runs(1, 30)[0]["id"], 5)
        yield Stepped(fleet, clock)


def check_that_it_goes_on(fleet: Fleet, run_id: str) -> None:
    """The round has every result once, and so have two later ones but for whom it still probed."""
    for run in fleet.wait_for_runs(3, 300)[:3]:
        ended = fleet.wait_for_end(run["id"], 120)
        checks = fleet.checks(run["id"])
        assert ended["planned"] + ended["overlapping"] == MODELS
        assert (len(checks), doubled(checks)) == (ended["planned"], [])
    assert fleet.wait_for_end(run_id, 120)["done"] == MODELS


def test_a_clock_put_back_an_hour_stops_nothing(stepped: Stepped) -> None:
    run_id = stepped.fleet.scheduled()[0]["id"]
    stepped.step(-HOUR_S)
    check_that_it_goes_on(stepped.fleet, run_id)


def test_a_worker_killed_just_after_the_clock_was_put_back_is_replaced(stepped: Stepped) -> None:
    run_id = stepped.fleet.scheduled()[0]["id"]
    stepped.step(-HOUR_S)
    os.kill(process_of(stepped.fleet, "worker"), signal.SIGKILL)
    check_that_it_goes_on(stepped.fleet, run_id)


def test_a_clock_put_forward_an_hour_is_made_up_for_with_one_round(stepped: Stepped) -> None:
    run_id = stepped.fleet.scheduled()[0]["id"]
    stepped.step(HOUR_S)
    check_that_it_goes_on(stepped.fleet, run_id)
    first, second, third = stepped.fleet.scheduled()[:3]
    assert apart_s(first, second) == HOUR_S
    assert apart_s(second, third) == 60
