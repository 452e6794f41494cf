"""A whole server with simulated models, spoken to over HTTP as an operator's program would."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from providers.simulator import RequestRecord
from tests.embedded.house import House, command_of, family, running_house, wait_until

API = "/api/v1"
MARKERS = {
    "worker": "celery -q -A arguslm worker",
    "beat": "celery -q -A arguslm beat",
    "web": "arguslm.embedded.web",
    "broker": "valkey",
}


class Fleet:
    def __init__(self, house: House) -> None:
        self.house = house

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.house.url}{API}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def add_account(self, base_url: str, *models: str) -> None:
        credentials = {"base_url": base_url}
        account = self.ask(
            "POST",
            "/providers",
            {
                "provider_type": "lm_studio",
                "display_name": f"Account of {models[0]}",
                "credentials": credentials,
            },
        )
        for model in models:
            new = {"provider_account_id": account["id"], "model_id": model}
            self.ask("POST", "/models", new | {"enabled_for_monitoring": True})

    def stop_schedule(self) -> None:
        """Nothing is under way any more when it returns."""
        self.ask("PATCH", "/monitoring/config", {"enabled": False})
        for run in self.scheduled():
            self.wait_for_end(run["id"], 120)

    def start_schedule(self) -> None:
        """A round each minute, the first one now; nobody waits for a turn in it."""
        self.ask("PATCH", "/monitoring/config", {"enabled": False})
        wanted = {"enabled": True, "interval_minutes": 1, "jitter_s": 0}
        self.ask("PATCH", "/monitoring/config", wanted)

    def scheduled(self) -> list[dict[str, Any]]:
        """Scheduled runs, the oldest first."""
        found = self.get("/monitoring/runs?limit=200")["items"]
        return [run for run in reversed(found) if run["trigger"] == "schedule" and run["planned"]]

    def checks(self, run_id: str) -> list[dict[str, Any]]:
        found = self.get("/monitoring/uptime?limit=10000")["items"]
        return [check for check in found if check["run_id"] == run_id]

    def wait_for_runs(self, count: int, timeout_s: float) -> list[dict[str, Any]]:
        assert wait_until(lambda: len(self.scheduled()) >= count, timeout_s), self.scheduled()
        return self.scheduled()

    def wait_for_results(self, run_id: str, least: int, timeout_s: float = 30) -> list[str]:
        """The ids of the checks of the run, once there are so many."""
        assert wait_until(lambda: len(self.checks(run_id)) >= least, timeout_s)
        return [check["id"] for check in self.checks(run_id)]

    def wait_for_end(self, run_id: str, timeout_s: float) -> dict[str, Any]:
        path = f"/monitoring/runs/{run_id}"
        assert wait_until(lambda: self.get(path)["status"] == "completed", timeout_s), (
            self.get(path),
            self.house.log("worker")[-2000:],
        )
        found: dict[str, Any] = self.get(path)
        return found


@contextmanager
def running_fleet(data_dir: Path, **overrides: str) -> Iterator[Fleet]:
    with running_house(data_dir, **overrides) as house:
        fleet = Fleet(house)
        fleet.ask("PATCH", "/monitoring/config", {"enabled": False})
        yield fleet


def process_of(fleet: Fleet, name: str) -> int:
    """The alerts have a worker of their own, which probes nothing."""
    commands = {pid: command_of(pid) for pid in family(fleet.house.process.pid)}
    found = [pid for pid, words in commands.items() if MARKERS[name] in words]
    return next(pid for pid in found if "arguslm.alerts" not in commands[pid])


def lag_s(run: dict[str, Any]) -> float:
    """From the time the run was due to the moment somebody opened it."""
    due, created = (datetime.fromisoformat(run[name]) for name in ("due_at", "created_at"))
    return (created - due).total_seconds()


def apart_s(one: dict[str, Any], other: dict[str, Any]) -> float:
    first, second = (datetime.fromisoformat(run["due_at"]) for run in (one, other))
    return (second - first).total_seconds()


def check_that_nobody_was_asked_for_nothing(fleet: Fleet, log: Iterable[RequestRecord]) -> None:
    """As many requests as checks for each model: none was probed twice in a round."""
    checks = Counter(c["model_name"] for c in fleet.get("/monitoring/uptime?limit=10000")["items"])
    asked = Counter(record.model for record in log if record.model in checks)
    assert asked == checks


def doubled(checks: list[dict[str, Any]]) -> list[str]:
    return [name for name, count in Counter(c["model_name"] for c in checks).items() if count > 1]
