"""A stream over a real socket, read by somebody who is slower than the server."""

from __future__ import annotations

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from providers.simulator import Simulator
from tests.e2e.conftest import KEY, eventually

# More than the sockets of both sides hold, so that the server is left with the rest.
REQUESTS, SMALL_BUFFER = 1_000, 4096
LONGER_THAN_A_CLOSE_S = 3.0


def call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def finished_run(api: str, base_url: str) -> str:
    """The id of a run that has more results than the published client may order."""
    account = {
        "provider_type": "custom_openai_compatible",
        "display_name": "Watched",
        "credentials": {"api_key": KEY, "base_url": f"{base_url}/v1"},
    }
    provider = call(f"{api}/providers", account)["id"]
    model = {"provider_account_id": provider, "model_id": "sim:ttft=1,gap=0,tokens=1"}
    order = {"prompt_pack": "health_check", "num_runs": REQUESTS, "concurrency_per_llm": 8}
    order["model_ids"] = [call(f"{api}/models", model)["id"]]
    run = call(f"{api}/benchmarks", order)["id"]
    eventually(lambda: call(f"{api}/benchmarks/{run}")["status"] == "completed", within_s=120)
    return str(run)


def seqs_read_late(url: str) -> list[int]:
    """All that comes before the server closes in good order."""
    where = urlsplit(url)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    slow.connect((where.hostname, where.port))
    seqs: list[int] = []
    with connect(url, sock=slow, max_queue=1, ping_interval=None) as watcher:
        time.sleep(LONGER_THAN_A_CLOSE_S)
        try:
            while True:
                message: dict[str, Any] = json.loads(watcher.recv(timeout=30))
                seqs.append(message["seq"])
        except ConnectionClosedOK:
            return seqs


def test_a_slow_watcher_of_an_ended_run_gets_all_of_it(
    server_url: str, simulator: Simulator
) -> None:
    api = f"{server_url}/api/v1"
    run = finished_run(api, simulator.base_url)

    seqs = seqs_read_late(f"{api.replace('http', 'ws', 1)}/benchmarks/{run}/stream")

    assert seqs == list(range(2 * REQUESTS + 2))
