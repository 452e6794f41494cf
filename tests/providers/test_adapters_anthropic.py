"""The Anthropic wire: the real SDK against real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange
from providers.measurement import Outcome
from tests.providers.raw_server import HEAD, Script, Step, make_event, make_status, raw_server

KEY = "sk-ant-Ab12Cd34Ef56Gh78"
REQUEST = ChatRequest("claude", "Hello", max_tokens=9, temperature=0.5)


@pytest.fixture
async def clients() -> AsyncIterator[ClientPool]:
    pool = ClientPool()
    yield pool
    await pool.close()


def make_endpoint(url: str, **given: Any) -> Endpoint:
    defaults: dict[str, Any] = {"api_key": KEY, "ttft_timeout_s": 2, "total_timeout_s": 4}
    return Endpoint("anthropic", url, "anthropic", **(defaults | given))


def typed(kind: str, **fields: Any) -> bytes:
    return make_event({"type": kind, **fields}, kind)


def text(words: str) -> bytes:
    return typed("content_block_delta", index=0, delta={"type": "text_delta", "text": words})


def thought(words: str) -> bytes:
    return typed(
        "content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": words}
    )


def start(**usage: int) -> bytes:
    return typed("message_start", message={"model": "claude-9", "usage": usage})


def end(reason: str = "end_turn", **usage: int) -> bytes:
    closing = typed("message_delta", delta={"stop_reason": reason}, usage=usage)
    return closing + typed("message_stop")


async def ask(clients: ClientPool, script: Script, **given: Any) -> Outcome:
    async with raw_server(script) as server:
        return await exchange(make_endpoint(server.url, **given), REQUEST, clients=clients)


async def test_a_good_stream_is_measured(clients: ClientPool) -> None:
    words: list[Step] = [s for w in ("one", " two", " three") for s in (text(w), 0.02)]
    opening = start(input_tokens=3, cache_read_input_tokens=100, output_tokens=1) + typed("ping")
    outcome = await ask(clients, [HEAD, opening, 0.02, *words, end(output_tokens=3)])

    assert outcome.failure is None
    assert outcome.text == "one two three"
    assert (outcome.model_reported, outcome.finish_reason) == ("claude-9", "end_turn")
    figures = outcome.figures()
    assert figures["ttft_ms"] >= 15
    after_first = figures["total_latency_ms"] - figures["ttft_ms"]
    assert figures["tpot_ms"] == pytest.approx(after_first / 2)
    assert (figures["input_tokens"], figures["cached_tokens"]) == (103, 100)
    assert (figures["output_tokens"], figures["token_source"]) == (3, "usage")
    assert "cache_hit" in figures["quality_flags"]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_request_is_what_the_wire_asks_for(clients: ClientPool, suffix: str) -> None:
    async with raw_server([HEAD, start() + text("x") + end()]) as server:
        await exchange(make_endpoint(server.url + suffix), REQUEST, clients=clients)

    received = server.received[0]
    assert received.target == "/v1/messages"
    assert received.headers["x-api-key"] == KEY
    assert received.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in received.headers
    assert received.body == {
        "model": "claude",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "max_tokens": 9,
        "temperature": 0.5,
    }


async def test_a_gateway_without_a_key_is_asked_without_one(
    clients: ClientPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-environment")
    async with raw_server([HEAD, start() + text("x") + end()]) as server:
        endpoint = make_endpoint(server.url, api_key=None)
        outcome = await exchange(endpoint, REQUEST, clients=clients)

    assert outcome.ok
    assert not {"authorization", "x-api-key"} & set(server.received[0].headers)


async def test_thinking_comes_before_the_first_answer(clients: ClientPool) -> None:
    outcome = await ask(clients, [HEAD, start() + thought("hm"), 0.05, text("so") + end()])

    assert outcome.text == "so"
    assert outcome.figures()["ttfa_ms"] >= outcome.figures()["ttft_ms"] + 40


@pytest.mark.parametrize(
    ("script", "error_class"),
    [
        ([HEAD, start(), text("x")], "truncated"),
        ([HEAD, start(), end()], "empty"),
        ([HEAD, start(), thought("hm"), end("max_tokens", output_tokens=9)], "no_answer"),
        ([HEAD, start(), text("no"), end("refusal")], "content_filter"),
        ([HEAD, start(), typed("error", error={"message": "Overloaded"})], "truncated"),
        (make_status(529, {"type": "error", "error": {"message": "busy"}}), "overloaded"),
        (make_status(401, {"error": {"message": f"invalid x-api-key {KEY}"}}), "auth"),
        (make_status(400, {"error": {"message": "Your credit balance is too low"}}), "quota"),
    ],
)
async def test_bad_endings_have_their_classes(
    clients: ClientPool, script: Script, error_class: str
) -> None:
    outcome = await ask(clients, script)

    assert outcome.failure is not None
    assert outcome.failure.error_class == error_class
    assert KEY not in repr(outcome)


async def test_an_unreachable_server_is_a_connect_failure(clients: ClientPool) -> None:
    outcome = await exchange(make_endpoint("http://127.0.0.1:1"), REQUEST, clients=clients)

    assert outcome.failure is not None
    assert outcome.failure.error_class == "connect"


async def test_a_refused_temperature_is_left_out(clients: ClientPool) -> None:
    refusal = make_status(400, {"error": {"message": "`temperature` is deprecated for this model"}})
    async with raw_server(refusal, [HEAD, start() + text("x") + end()]) as server:
        outcome = await exchange(make_endpoint(server.url), REQUEST, clients=clients)

    assert outcome.ok
    assert outcome.temperature_refused
    assert "temperature" not in server.received[1].body


async def test_an_end_mark_with_spaces_in_it_is_one(clients: ClientPool) -> None:
    mark = b'event: message_stop\ndata: {"type":"message_stop"' + b" " * 40 + b"}\n\n"
    closing = typed("message_delta", delta={"stop_reason": "end_turn"})
    script: Script = [HEAD, start() + text("x") + closing + mark, 60.0]

    async with asyncio.timeout(30):
        outcome = await ask(clients, script, total_timeout_s=60)

    assert outcome.ok


async def test_a_stream_that_stays_open_after_its_end_is_a_success(clients: ClientPool) -> None:
    outcome = await ask(clients, [HEAD, start() + text("x") + end(), 3.0], total_timeout_s=30)

    assert outcome.ok
