from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arguslm.embedded.watchdog import Watchdog, end_groups

STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)


@pytest.fixture
def watchdog(tmp_path: Path) -> Iterator[Watchdog]:
    leftover = tmp_path / "redis.url"
    leftover.write_text("redis://")
    descriptor = os.open(tmp_path / "cleanup.lock", os.O_CREAT | os.O_RDWR)
    watchdog = Watchdog(descriptor, leftover)
    yield watchdog
    os.close(descriptor)


def make_process(
    register: Callable[[], None] | None, code: str = "import time; time.sleep(60)"
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=register,
    )


def close_and_wait(watchdog: Watchdog, process: subprocess.Popen[bytes]) -> int:
    # An orphan is reaped by init while the watchdog waits for it; here that is our own duty.
    reaper = threading.Thread(target=process.wait)
    reaper.start()
    watchdog.close()
    reaper.join(timeout=5)
    return process.returncode


def test_the_end_of_the_pipe_ends_every_registered_group(
    watchdog: Watchdog, tmp_path: Path
) -> None:
    with make_process(watchdog.registration()) as process:
        assert close_and_wait(watchdog, process) == -signal.SIGTERM
    assert not (tmp_path / "redis.url").exists()


def test_a_forgotten_group_is_left_alone(watchdog: Watchdog) -> None:
    with make_process(watchdog.registration()) as process:
        watchdog.forget(process.pid)
        watchdog.close()

        assert process.poll() is None
        process.kill()


def test_signals_of_a_service_manager_do_not_end_the_watchdog(watchdog: Watchdog) -> None:
    with make_process(watchdog.registration()) as process:
        os.kill(watchdog.pid, signal.SIGTERM)
        os.kill(watchdog.pid, signal.SIGINT)
        assert close_and_wait(watchdog, process) == -signal.SIGTERM


def test_a_killed_watchdog_is_started_again_and_knows_the_children(watchdog: Watchdog) -> None:
    with make_process(watchdog.registration()) as process:
        watchdog.remember(process.pid)
        os.kill(watchdog.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while not watchdog.restart_if_gone() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert close_and_wait(watchdog, process) == -signal.SIGTERM


def test_a_group_that_ignores_the_request_is_killed() -> None:
    with make_process(None, STUBBORN) as process:
        assert process.stdout is not None
        process.stdout.readline()

        end_groups([process.pid], patience_s=0.1)

        assert process.wait(timeout=5) == -signal.SIGKILL
