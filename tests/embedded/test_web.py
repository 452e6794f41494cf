from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets.exceptions
from websockets.sync.client import connect

from tests.embedded.house import ROOT, start, wait_until

APPLICATION = """
import asyncio, sys
from arguslm.embedded.web import Web

async def application(scope, receive, send):
    await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await receive()
        return
    print("asked", flush=True)
    await asyncio.sleep(float(scope["path"].strip("/")))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"whole"})

Web(application, int(sys.argv[1])).run()
"""


@contextmanager
def running_web(host: str = "127.0.0.1") -> Iterator[tuple[subprocess.Popen[str], str]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        command = [sys.executable, "-c", APPLICATION, str(listening.fileno())]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, pass_fds=[listening.fileno()]
        ) as process:
            name = f"[{host}]" if ":" in host else host
            try:
                yield process, f"{name}:{listening.getsockname()[1]}"
            finally:
                process.kill()


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        body: bytes = response.read()
    return body


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_serves_on_an_inherited_socket(host: str) -> None:
    with running_web(host) as (_, where):
        assert fetch(f"http://{where}/0") == b"whole"


def test_a_request_in_flight_is_finished_after_sigterm() -> None:
    with running_web() as (process, where), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetch, f"http://{where}/0.5")
        assert process.stdout is not None
        process.stdout.readline()

        process.send_signal(signal.SIGTERM)

        assert answer.result(timeout=10) == b"whole"
        assert process.wait(timeout=5) == 0


def test_a_request_that_never_ends_does_not_hold_the_stop_up() -> None:
    with running_web() as (process, where), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fetch, f"http://{where}/60")
        assert process.stdout is not None
        process.stdout.readline()

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=6) == 0
        assert isinstance(answer.exception(timeout=5), OSError)


def test_an_open_websocket_is_told_that_we_go_away() -> None:
    with running_web() as (process, where), connect(f"ws://{where}/") as client:
        process.send_signal(signal.SIGTERM)

        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            client.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert process.wait(timeout=5) == 0


def test_serve_is_the_web_process_alone_and_stops_in_order(tmp_path: Path) -> None:
    with start(tmp_path / "data", "serve", ARGUSLM_PORT="0") as process:
        where = tmp_path / "data" / "stderr"
        assert wait_until(lambda: "Serving on http://127.0.0.1:" in where.read_text(), 60)
        url = where.read_text().partition("Serving on ")[2].split()[0].rstrip(".")
        assert fetch(f"{url}/health") == b'{"status":"healthy"}'

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0
