from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from providers.simulator import Simulator, running_simulator
from tests.e2e.published import PublishedClient

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-right-key-0123456789"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with running_simulator(api_keys=frozenset({KEY})) as running:
        yield running


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "ARGUSLM_PORT": str(free_port()),
        "ARGUSLM_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "ARGUSLM_ADMIN_PASSWORD": "correct horse battery",
    }


@pytest.fixture(scope="session")
def server_url(environment: dict[str, str]) -> Iterator[str]:
    """The whole server as `make run` starts it: Valkey, web, worker and beat."""
    port = environment["ARGUSLM_PORT"]
    command = [sys.executable, "manage.py", "up"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            first_line = process.stdout.readline().decode()
            assert f"http://127.0.0.1:{port}" in first_line, first_line
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=15)


@pytest.fixture
def token(server_url: str, environment: dict[str, str]) -> str:
    """A token that `manage.py token create` prints while the server runs."""
    command = [sys.executable, "manage.py", "token", "create", f"e2e {time.monotonic_ns()}"]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    return made.stdout.decode().strip()


@pytest.fixture(params=["sync", "async"])
def client(server_url: str, request: pytest.FixtureRequest) -> Iterator[PublishedClient]:
    with PublishedClient(server_url, request.param) as connected:
        yield connected


def eventually(read: Callable[[], T | None], within_s: float = 30.0) -> T:
    """Asks again until there is something; the deadline only bounds a failing test."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = read()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing within {within_s:.0f} s")
