from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from tests.embedded.flood import SIZE
from tests.embedded.house import ROOT, wait_until


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        free: int = listening.getsockname()[1]
        number = listening.fileno()
        command = [sys.executable, "-m", "tests.embedded.flood", str(number)]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[number])
    with process:
        try:
            assert wait_until(lambda: sent(free) == 0)
            yield free
        finally:
            process.kill()


def sent(port: int) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/sent", timeout=30) as answer:
            return int(answer.read())
    except OSError:
        return None


def rests(port: int) -> bool:
    """The application has sent something and is kept waiting."""
    before = sent(port)
    return bool(before) and not wait_until(lambda: sent(port) != before, 1.0)


def test_an_answer_waits_for_its_reader_and_then_comes_whole(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/flood", timeout=30) as answer:
        assert wait_until(lambda: rests(port), 30)
        # The kernel's buffers at both ends, and no more.
        assert (sent(port) or SIZE) < SIZE / 2
        assert len(answer.read()) == SIZE
    assert sent(port) == SIZE


def test_a_reader_that_leaves_keeps_nobody_waiting(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/flood", timeout=30):
        assert wait_until(lambda: rests(port), 30)
    assert wait_until(lambda: sent(port) is not None)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/flood", timeout=30) as answer:
        assert len(answer.read()) == SIZE
