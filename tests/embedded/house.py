"""The whole server as an operator runs it: `manage.py up` in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
SET_BY_TESTS = {
    "DJANGO_SETTINGS_MODULE": "arguslm.settings",
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "API_AUTH": "auto",
    "ALLOWED_HOSTS": "localhost,127.0.0.1",
    "DEBUG": "false",
}


@dataclass
class House:
    process: subprocess.Popen[str]
    data_dir: Path
    lines: list[str]

    @property
    def url(self) -> str:
        return self.lines[0].rpartition(" ")[2]

    def log(self, name: str) -> str:
        path = self.data_dir / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def child(self, marker: str) -> int | None:
        return next((pid for pid in family(self.process.pid) if marker in command_of(pid)), None)


def make_environment(data_dir: Path, **overrides: str) -> dict[str, str]:
    own = {"ARGUSLM_DATA_DIR": str(data_dir), "ARGUSLM_PORT": "0", "ARGUSLM_HOST": "127.0.0.1"}
    return os.environ | SET_BY_TESTS | own | overrides


def start(data_dir: Path, command: str = "up", **overrides: str) -> subprocess.Popen[str]:
    data_dir.mkdir(exist_ok=True)
    with (data_dir / "stderr").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env=make_environment(data_dir, **overrides),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )


@contextmanager
def running_house(data_dir: Path, command: str = "up", **overrides: str) -> Iterator[House]:
    with start(data_dir, command, **overrides) as process:
        try:
            yield House(process, data_dir, read_lines(process, 3))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=15)


def read_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next lines of its standard output; empty ones when it ends or takes too long."""
    assert process.stdout is not None
    too_long = threading.Timer(START_S, process.kill)
    too_long.start()
    try:
        return [process.stdout.readline().rstrip("\n") for _ in range(count)]
    finally:
        too_long.cancel()


def refusal(data_dir: Path, *command: str, **overrides: str) -> tuple[int, str]:
    """Exit code and standard error of a start, or another command, that does not succeed."""
    ended = subprocess.run(
        [sys.executable, "manage.py", *(command or ["up"])],
        cwd=ROOT,
        env=make_environment(data_dir, **overrides),
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    return ended.returncode, ended.stderr


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def family(pid: int) -> list[int]:
    """Living children of the process; what has ended and waits to be reaped does not count."""
    listing = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in listing.stdout.splitlines())
    return [int(row[0]) for row in rows if int(row[1]) == pid and not row[2].startswith("Z")]


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def command_of(pid: int) -> str:
    found = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True
    )
    return found.stdout
