from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.simulator import Behaviour, Simulator, running_simulator
from tests.providers.simulator_client import (
    chat,
    chat_bytes,
    get,
    open_socket,
    read_reply,
    request_bytes,
    send,
)

QUICK = "sim:ttft=1,gap=0,tokens=3"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running_simulator(models={"alpha": Behaviour(ttft_ms=1, gap_ms=0, tokens=3)}) as running:
        yield running


def test_one_connection_serves_request_after_request(simulator: Simulator) -> None:
    with open_socket(simulator) as sock:
        replies = []
        for stream in (True, False, True):
            sock.sendall(chat_bytes(QUICK, stream=stream))
            replies.append(read_reply(sock))

    assert [reply.status for reply in replies] == [200, 200, 200]
    assert [(one.connection, one.nth_on_connection) for one in simulator.log] == [
        (1, 1),
        (1, 2),
        (1, 3),
    ]
    assert len({reply.request_id for reply in replies}) == 3


def test_a_request_that_arrives_byte_by_byte_is_served(simulator: Simulator) -> None:
    with open_socket(simulator) as sock:
        for byte in chat_bytes(QUICK):
            sock.send(bytes([byte]))

        assert read_reply(sock).events[-1] == "[DONE]"


def test_a_request_sent_too_early_waits_its_turn(simulator: Simulator) -> None:
    with open_socket(simulator) as sock:
        sock.sendall(chat_bytes("sim:ttft=30,tokens=1") + chat_bytes(QUICK, stream=False))
        raw = b""
        while b'"object": "chat.completion"' not in raw:
            raw += sock.recv(65536)

    assert raw.index(b"[DONE]") < raw.index(b'"object": "chat.completion"')


def test_a_client_that_wants_to_close_is_let_go(simulator: Simulator) -> None:
    body = json.dumps({"model": "alpha", "messages": [{"role": "user", "content": "a"}]}).encode()
    with open_socket(simulator) as sock:
        sock.sendall(request_bytes("POST", "/chat/completions", body, connection="close"))

        assert read_reply(sock).status == 200
        assert sock.recv(10) == b""


def test_a_client_that_waits_for_a_100_gets_it(simulator: Simulator) -> None:
    data = request_bytes("POST", "/v1/chat/completions", b"x" * 9, expect="100-continue")
    with open_socket(simulator) as sock:
        sock.sendall(data[:-9])
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"

        sock.sendall(data[-9:])
        assert read_reply(sock).status == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.0\r\n\r\n", 505),
        (b"GET /v1/models HTTP/1.1\r\nbroken\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nx: " + b"a" * 40_000, 431),
        (b"POST /v1/messages HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST /v1/messages HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (b"POST /v1/messages HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        (b"GET /v1/models?" + b"a=1&" * 99 + b" HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_bytes_that_are_no_request_are_refused_and_the_connection_ends(
    simulator: Simulator, data: bytes, status: int
) -> None:
    with open_socket(simulator) as sock:
        sock.sendall(data)

        assert read_reply(sock).status == status
        assert sock.recv(10) == b""


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "fields",
    [
        {"model": None}, {"model": 5}, {"messages": []}, {"messages": "hi"}, {"max_tokens": 0},
        {"max_tokens": "5"}, {"max_tokens": 1.5}, {"model": "sim:speed=3"},
    ],
)  # fmt: skip
def test_a_chat_request_with_wrong_fields_is_a_400(
    simulator: Simulator, wire: str, fields: dict[str, Any]
) -> None:
    reply = chat(simulator, **{"model": QUICK, "wire": wire, **fields})

    assert reply.status == 400
    assert reply.json()["error"]["message"].endswith(".")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400(simulator: Simulator, body: bytes) -> None:
    assert send(simulator, request_bytes("POST", "/v1/chat/completions", body)).status == 400


def test_an_unknown_model_is_a_404(simulator: Simulator) -> None:
    reply = chat(simulator, "gpt-\ud800")

    assert (reply.status, reply.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(("path", "status"), [("/v1/v1/models", 404), ("/v1/messages", 405)])
def test_other_paths_and_methods_are_refused(simulator: Simulator, path: str, status: int) -> None:
    assert get(simulator, path).status == status


def test_models_are_listed_in_three_shapes(simulator: Simulator) -> None:
    openai = get(simulator, "/v1/models").json()
    anthropic = get(simulator, "/v1/models", anthropic_version="2023-06-01").json()
    tags = get(simulator, "/api/tags").json()

    assert [(row["id"], row["object"]) for row in openai["data"]] == [("alpha", "model")]
    assert [(row["id"], row["type"]) for row in anthropic["data"]] == [("alpha", "model")]
    assert [row["name"] for row in tags["models"]] == ["alpha"]


def test_a_list_can_be_a_bare_array_or_fail() -> None:
    with running_simulator(is_bare_list=True) as running:
        assert get(running, "/models").json()[0]["id"] == "sim-fast"
    with running_simulator(list_failure="status-500") as running:
        assert get(running, "/models").status == 500
        assert get(running, "/api/tags").json() == {
            "error": "The server failed while it handled the request."
        }


def test_a_required_key_is_checked_in_every_form() -> None:
    with running_simulator(api_keys=frozenset({"right"})) as running:
        wrong = get(running, "/v1/models", authorization="Bearer wrong")
        missing = get(running, "/v1/models", anthropic_version="2023-06-01")
        forms = {"authorization": "Bearer right", "x_api_key": "right", "api_key": "right"}
        right = [get(running, "/v1/models", **{name: key}) for name, key in forms.items()]

    assert (wrong.status, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    assert (missing.status, missing.json()["error"]["type"]) == (401, "authentication_error")
    assert [reply.status for reply in right] == [200, 200, 200]
    assert "right" not in repr(running.config)


def test_a_model_is_broken_and_healed_over_http(simulator: Simulator) -> None:
    def change(body: bytes) -> int:
        return send(simulator, request_bytes("POST", "/sim/models/alpha", body)).status

    assert change(b'{"failure": "status-503"}') == 200
    assert chat(simulator, "alpha").status == 503
    assert change(b'{"failure": null}') == 200
    assert chat(simulator, "alpha").events[-1] == "[DONE]"
    assert [change(b'{"speed": 1}'), change(b"[]"), change(b"{")] == [400, 400, 400]


def test_a_model_is_broken_healed_and_removed_from_a_test(simulator: Simulator) -> None:
    simulator.set_behaviour("alpha", Behaviour(failure="status-529"))
    assert chat(simulator, "alpha").status == 529

    simulator.set_behaviour("alpha", Behaviour(ttft_ms=1, gap_ms=0))
    assert chat(simulator, "alpha").status == 200

    simulator.remove_model("alpha")
    assert chat(simulator, "alpha").status == 404


def test_the_log_tells_what_truly_happened(simulator: Simulator) -> None:
    reply = chat(simulator, QUICK, max_tokens=2, temperature=0.5)
    told = get(simulator, f"/sim/log?request_id={reply.request_id}").json()

    assert told["request_id"] == reply.request_id
    assert (told["model"], told["wire"], told["status"], told["tokens"]) == (
        QUICK,
        "openai",
        200,
        2,
    )
    assert told["parameters"] == {"stream": True, "max_tokens": 2, "temperature": 0.5}
    assert told["t_accept"] <= told["t_request_read"] <= told["t_head_write"]
    assert told["t_first_write"] == told["writes"][0] <= told["writes"][1] == told["t_last_write"]
    assert told["t_last_write"] < told["t_done"]
    assert "sk-secret" not in json.dumps(told)


def test_the_recent_log_and_health_answer(simulator: Simulator) -> None:
    chat(simulator, QUICK)
    chat(simulator, "alpha")

    records = get(simulator, "/sim/log?limit=1").json()["records"]
    assert [record["model"] for record in records] == ["alpha"]
    assert get(simulator, "/health").json()["status"] == "ok"
    assert get(simulator, "/sim/log?request_id=none").status == 404


def test_the_log_in_memory_is_bounded_and_the_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "writes.jsonl"
    with running_simulator(log_size=3, log_path=path) as running:
        for _ in range(5):
            chat(running, QUICK)
        assert len(running.log) == 3

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [len(line["writes"]) for line in lines] == [3] * 5


def test_a_client_that_leaves_is_noted(simulator: Simulator) -> None:
    with open_socket(simulator) as sock:
        sock.sendall(chat_bytes("sim:ttft=0,gap=5,tokens=1000"))
        sock.recv(100)
    while simulator.log[0].t_done is None:
        get(simulator, "/health")

    assert simulator.log[0].outcome == "client_gone"
    assert simulator.log[0].tokens < 1000
