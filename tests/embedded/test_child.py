from __future__ import annotations

import io
import os
import selectors
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arguslm.embedded.child import LONGEST_LINE, STABLE_AFTER_S, Child, Program, described
from arguslm.embedded.console import Console
from arguslm.embedded.watchdog import Watchdog
from tests.embedded.house import is_alive, wait_until


@pytest.fixture
def terminal() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def child(tmp_path: Path, terminal: io.StringIO) -> Iterator[Child]:
    lock = os.open(tmp_path / "cleanup.lock", os.O_CREAT | os.O_RDWR)
    watchdog = Watchdog(lock, leftover=tmp_path / "redis.url")
    console = Console(tmp_path / "logs", terminal, colour=False)
    yield Child(Program("web", [sys.executable, "-c", ""], tmp_path, os.environ), watchdog, console)
    console.close()
    watchdog.close()
    os.close(lock)


def run(child: Child, code: str) -> int | None:
    child.program.command[2] = code
    output = child.start()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while selector.select(timeout=5) and child.read_output():
            pass
    os.close(output)
    deadline = time.monotonic() + 5
    while (ended := child.reap()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return ended


def test_each_line_of_output_is_prefixed_with_the_name(child: Child, terminal: io.StringIO) -> None:
    run(child, "import sys; print('out', flush=True); sys.stderr.write('err, unfinished')")

    assert terminal.getvalue() == "web    | out\nweb    | err, unfinished\n"


def test_the_file_has_the_lines_as_they_came(child: Child, tmp_path: Path) -> None:
    run(child, "print('100 % s')")

    assert (tmp_path / "logs" / "web.log").read_text() == "100 % s\n"


def test_output_without_an_end_of_line_is_cut(child: Child, terminal: io.StringIO) -> None:
    run(child, f"print('x' * {3 * LONGEST_LINE}, end='')")

    assert terminal.getvalue().count("x") == 3 * LONGEST_LINE


def test_the_exit_code_is_reported_once(child: Child) -> None:
    assert run(child, "raise SystemExit(3)") == 3
    assert child.reap() is None


def test_a_process_left_in_the_group_ends_with_its_leader(child: Child) -> None:
    run(
        child,
        "import subprocess as s; print(s.Popen(['sleep', '60'], stdout=s.DEVNULL, stderr=-3).pid)",
    )
    left = int((child.console.directory / "web.log").read_text())

    assert wait_until(lambda: not is_alive(left), timeout_s=5)


def test_pauses_double_up_to_half_a_minute(child: Child) -> None:
    run(child, "")

    pauses = [child.plan_restart() for _ in range(9)]

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_child_that_was_stable_starts_again_at_once(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(child, "")
    for _ in range(5):
        child.plan_restart()
    later = time.monotonic() + STABLE_AFTER_S + 1
    monkeypatch.setattr("arguslm.embedded.child.time.monotonic", lambda: later)

    assert child.plan_restart() == 0.5


def test_an_end_is_described_in_words() -> None:
    assert described(1) == "ended with exit code 1"
    assert described(-9) == "was ended by SIGKILL"
