from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings

from arguslm.embedded.broker import Broker
from arguslm.embedded.child import Program

WORKER_THREADS = 8
ALERT_THREADS = 16


def broker(server: Broker) -> Program:
    return _program("broker", server.command)


def web(descriptor: int) -> Program:
    command = [sys.executable, "-m", "arguslm.embedded.web", str(descriptor)]
    return _program("web", command, descriptors=(descriptor,))


def worker() -> Program:
    return _program("worker", _celery("worker", *_threads(WORKER_THREADS)))


def alerts() -> Program:
    mine = ["-Q", "arguslm.alerts", "-n", "alerts@%h"]
    return _program("alerts", _celery("worker", *_threads(ALERT_THREADS), *mine))


def _threads(number: int) -> list[str]:
    # No neighbours to greet at the start or to gossip with: the rows are all that they share.
    return ["-P", "threads", "-c", str(number), "--without-mingle", "--without-gossip"]


def beat() -> Program:
    schedule = settings.DATA_DIR / "run" / "beat-schedule"
    return _program("beat", _celery("beat", "--schedule", str(schedule), "--pidfile", ""))


def simulated_models() -> Program:
    return _program("models", [sys.executable, "manage.py", "demo_models"])


def _celery(command: str, *arguments: str) -> list[str]:
    level = ["--loglevel", settings.LOG_LEVEL]
    return [sys.executable, "-m", "celery", "-q", "-A", "arguslm", command, *arguments, *level]


def _program(name: str, command: list[str], descriptors: tuple[int, ...] = ()) -> Program:
    return Program(name, command, Path(settings.BASE_DIR), _environment(), descriptors)


def _environment() -> dict[str, str]:
    """What children inherit: all but the password that only the start itself needs."""
    inherited = {k: v for k, v in os.environ.items() if k != "ARGUSLM_ADMIN_PASSWORD"}
    return inherited | {"PYTHONUNBUFFERED": "1"}
