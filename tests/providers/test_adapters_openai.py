"""The OpenAI wire: the real SDK against real sockets."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange
from providers.errors import ErrorClass
from providers.measurement import Outcome, now_ns
from tests.providers.raw_server import (
    DONE,
    GOOD,
    HEAD,
    STOP,
    Script,
    Step,
    make_delta,
    make_event,
    make_good,
    make_status,
    make_usage,
    raw_server,
)

KEY = "sk-test-Ab12Cd34Ef56Gh78"


@pytest.fixture
async def clients() -> AsyncIterator[ClientPool]:
    pool = ClientPool()
    yield pool
    await pool.close()


def make_endpoint(url: str, **given: Any) -> Endpoint:
    limits = {"connect_timeout_s": 2, "ttft_timeout_s": 2, "total_timeout_s": 4}
    return Endpoint("test", f"{url}/v1", api_key=KEY, **(limits | given))


def make_request(**given: Any) -> ChatRequest:
    defaults: dict[str, Any] = {"model": "m", "prompt": "Say three words.", "max_tokens": 9}
    return ChatRequest(**(defaults | given))


async def ask(clients: ClientPool, script: Script, **given: Any) -> Outcome:
    async with raw_server(script) as server:
        return await exchange(make_endpoint(server.url, **given), make_request(), clients=clients)


async def test_a_good_stream_is_measured(clients: ClientPool) -> None:
    outcome = await ask(clients, GOOD)

    assert outcome.failure is None
    assert outcome.text == "one two three"
    assert (outcome.model_reported, outcome.fingerprint) == ("m-2026", "fp_1")
    assert (outcome.finish_reason, outcome.status_code) == ("stop", 200)
    figures = outcome.figures()
    assert 20 <= figures["ttft_ms"] < figures["total_latency_ms"]
    after_first = figures["total_latency_ms"] - figures["ttft_ms"]
    assert figures["tpot_ms"] == pytest.approx(after_first / 2)
    assert (figures["input_tokens"], figures["output_tokens"]) == (5, 3)
    assert figures["token_source"] == "usage"
    assert figures["connect_ms"] > 0
    assert "cold_connection" in figures["quality_flags"]


async def test_the_request_is_what_the_wire_asks_for(clients: ClientPool) -> None:
    async with raw_server(make_good()) as server:
        endpoint = make_endpoint(server.url, query={"api-version": "v9"}, headers={"X-Team": "a"})
        await exchange(endpoint, make_request(temperature=0.0), clients=clients)

    received = server.received[0]
    assert received.target == "/v1/chat/completions?api-version=v9"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["x-team"] == "a"
    assert received.headers["accept-encoding"] == "identity"
    assert received.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Say three words."}],
        "stream": True,
        "max_tokens": 9,
        "temperature": 0.0,
        "stream_options": {"include_usage": True},
    }


async def test_an_endpoint_without_a_key_sends_no_authorization(
    clients: ClientPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
    async with raw_server(make_good()) as server:
        endpoint = Endpoint("test", f"{server.url}/v1")
        outcome = await exchange(endpoint, make_request(), clients=clients)

    assert outcome.ok
    assert "authorization" not in server.received[0].headers
    assert "environment" not in str(server.received[0].headers)


async def test_the_model_in_the_address_is_filled_in(clients: ClientPool) -> None:
    async with raw_server(make_good()) as server:
        endpoint = Endpoint("azure", f"{server.url}/deployments/{{model}}", api_key=KEY)
        outcome = await exchange(endpoint, make_request(model="a/b c"), clients=clients)

    assert outcome.ok
    assert server.received[0].target == "/deployments/a%2Fb%20c/chat/completions"


async def test_queue_wait_and_response_time_come_from_the_callers_stamps(
    clients: ClientPool,
) -> None:
    async with raw_server(make_good()) as server:
        at_ns = now_ns()
        stamps = {"sched_ns": at_ns - 40_000_000, "acq_ns": at_ns - 10_000_000}
        outcome = await exchange(
            make_endpoint(server.url), make_request(), clients=clients, **stamps
        )

    assert outcome.figures()["queue_wait_ms"] == 30
    assert outcome.figures()["response_ms"] > 40
    assert "queue_wait" in outcome.figures()["quality_flags"]


async def test_a_repeated_request_is_the_same_to_the_byte_and_measured_anew(
    clients: ClientPool,
) -> None:
    async with raw_server(make_good("a"), make_good("b"), make_good("c")) as server:
        endpoint = make_endpoint(server.url)
        first = await exchange(endpoint, make_request(), clients=clients)
        again = await exchange(endpoint, make_request(), clients=clients)
        other = await exchange(endpoint, make_request(prompt="Other."), clients=clients)

    assert [first.text, again.text, other.text] == ["a", "b", "c"]
    assert server.received[0] == server.received[1]
    assert server.received[2].body["messages"][0]["content"] == "Other."
    assert first.measurement != again.measurement


async def test_a_mark_stands_in_front_of_the_prompt_and_nothing_else_changes(
    clients: ClientPool,
) -> None:
    async with raw_server(make_good("a"), make_good("b"), make_good("c")) as server:
        endpoint = make_endpoint(server.url)
        for mark in ("[11aa] ", "[22bb] ", ""):
            request = make_request(prompt="Say [11aa] twice.", mark=mark)
            await exchange(endpoint, request, clients=clients)

    bodies = [received.body for received in server.received]
    texts = [body["messages"][0].pop("content") for body in bodies]
    assert texts == [f"{mark}Say [11aa] twice." for mark in ("[11aa] ", "[22bb] ", "")]
    assert bodies[0] == bodies[1] == bodies[2]


async def test_a_reused_connection_has_no_connect_time(clients: ClientPool) -> None:
    body = make_delta(content="x") + STOP + DONE
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    script = [head + b"content-length: %d\r\n\r\n" % len(body) + body]
    async with raw_server(script) as server:
        endpoint = make_endpoint(server.url)
        first = await exchange(endpoint, make_request(), clients=clients)
        second = await exchange(endpoint, make_request(), clients=clients)

    assert server.connections == 1
    assert first.figures()["connect_ms"] is not None
    assert second.figures()["connect_ms"] is None
    assert "cold_connection" not in second.figures()["quality_flags"]


async def test_thinking_comes_before_the_first_answer(clients: ClientPool) -> None:
    script: Script = [HEAD, make_delta(reasoning_content="hm"), 0.05, *make_good("so")[1:]]
    figures = (await ask(clients, script)).figures()

    assert figures["ttfa_ms"] >= figures["ttft_ms"] + 40


async def test_a_tool_call_is_an_answer(clients: ClientPool) -> None:
    call = make_delta(tool_calls=[{"function": {"name": "f", "arguments": "{}"}}])
    outcome = await ask(clients, [HEAD, call, make_delta(finish="tool_calls"), DONE])

    assert outcome.ok
    assert outcome.figures()["ttfa_ms"] is not None
    assert outcome.text == ""


async def test_without_usage_the_tokens_are_estimated_and_flagged(clients: ClientPool) -> None:
    figures = (await ask(clients, make_good("four words are here"))).figures()

    assert (figures["input_tokens"], figures["output_tokens"]) == (4, 5)
    assert figures["token_source"] == "estimated"
    assert "tokens_estimated" in figures["quality_flags"]


async def test_usage_on_every_chunk_is_cumulative_and_never_summed(clients: ClientPool) -> None:
    usages = [{"prompt_tokens": 5, "completion_tokens": n} for n in (4, 8, 12)]
    chunks = [make_delta(content="word " * 4, usage=usage) for usage in usages]
    steps: Script = [HEAD, chunks[0], 0.02, chunks[1], 0.02, chunks[2], STOP, DONE]
    outcome = await ask(clients, steps)

    assert outcome.figures()["output_tokens"] == 12
    assert outcome.measurement is not None
    assert outcome.measurement.tokens.first_chunk == 4


async def test_a_count_that_cannot_be_true_is_flagged(clients: ClientPool) -> None:
    text = make_delta(content="many words " * 40)
    doubtful = await ask(clients, [HEAD, text, STOP, make_usage(5, 3), DONE])
    zero = await ask(clients, [HEAD, text, STOP, make_usage(5, 0), DONE])
    high = await ask(clients, [HEAD, make_delta(content="Yes."), STOP, make_usage(5, 90), DONE])

    assert "usage_mismatch" in doubtful.figures()["quality_flags"]
    assert doubtful.figures()["output_tokens"] == 3
    assert doubtful.figures()["tps"] is None
    assert "usage_mismatch" in high.figures()["quality_flags"]
    assert "usage_mismatch" in zero.figures()["quality_flags"]
    assert zero.figures()["token_source"] == "estimated"


async def test_cached_and_hidden_tokens_are_told_apart(clients: ClientPool) -> None:
    usage = make_usage(
        50,
        30,
        prompt_tokens_details={"cached_tokens": 40},
        completion_tokens_details={"reasoning_tokens": 25},
    )
    steps: list[Step] = [
        HEAD,
        *(s for w in "abcde" for s in (make_delta(content=w), 0.005)),
        STOP,
        usage,
        DONE,
    ]
    figures = (await ask(clients, steps)).figures()

    assert (figures["input_tokens"], figures["cached_tokens"]) == (50, 40)
    assert (figures["output_tokens"], figures["reasoning_tokens"]) == (30, 25)
    assert {"cache_hit", "hidden_reasoning"} <= set(figures["quality_flags"])
    assert figures["tpot_ms"] is None


async def test_a_whole_answer_in_one_write_is_a_buffered_stream(clients: ClientPool) -> None:
    body = b"".join(make_delta(content="w ") for _ in range(40)) + STOP + make_usage(5, 40) + DONE
    figures = (await ask(clients, [HEAD, 0.05, body])).figures()

    assert "buffered_stream" in figures["quality_flags"]
    assert (figures["tpot_ms"], figures["tps_excluding_ttft"]) == (None, None)
    assert figures["ttft_ms"] >= 40


async def test_a_stream_that_stays_open_after_its_end_mark_is_a_success(
    clients: ClientPool,
) -> None:
    outcome = await ask(clients, [*make_good(), 3.0], total_timeout_s=30)

    assert outcome.ok
    assert outcome.figures()["total_latency_ms"] < 2500


async def test_an_answer_that_speaks_of_the_end_mark_goes_on(clients: ClientPool) -> None:
    event = make_delta(content="They end with data: [DONE] as a line.")
    cut = event.index(b"[DONE]") + len(b"[DONE]")

    outcome = await ask(clients, [HEAD, event[:cut], 0.8, event[cut:], STOP, DONE])

    assert outcome.text == "They end with data: [DONE] as a line."


async def test_a_missing_end_mark_is_fine_after_a_finish_reason(clients: ClientPool) -> None:
    assert (await ask(clients, [HEAD, make_delta(content="x"), STOP])).ok
    assert (await ask(clients, [HEAD, make_delta(content="x"), DONE])).ok
    assert (await ask(clients, [HEAD, make_delta(content="x"), STOP.rstrip()])).ok


async def test_a_compressed_stream_is_read_all_the_same(clients: ClientPool) -> None:
    body = gzip.compress(make_delta(content="x") + STOP + DONE)
    head = HEAD.replace(b"connection", b"content-encoding: gzip\r\nconnection")
    outcome = await ask(clients, [head, body[:9], body[9:]])

    assert outcome.ok
    assert outcome.text == "x"


REFUSAL = {"error": {"message": "Unknown parameter: 'stream_options'", "code": "unknown"}}
WRONG_LIMIT = {
    "error": {
        "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "param": "max_tokens",
    }
}
FIXED_HEAT = {"error": {"message": "Unsupported value: 'temperature' does not support 0."}}


async def test_a_server_without_stream_options_is_asked_again_without_them(
    clients: ClientPool,
) -> None:
    async with raw_server(make_status(400, REFUSAL), make_good()) as server:
        outcome = await exchange(make_endpoint(server.url), make_request(), clients=clients)

    assert outcome.ok
    assert outcome.stream_options_refused
    assert outcome.token_param is None
    assert "stream_options" in server.received[0].body
    assert "stream_options" not in server.received[1].body


async def test_every_optional_field_may_be_refused_in_turn(clients: ClientPool) -> None:
    refusals = [make_status(400, WRONG_LIMIT), make_status(422, REFUSAL)]
    async with raw_server(*refusals, make_status(400, FIXED_HEAT), make_good()) as server:
        request = make_request(temperature=0.0)
        outcome = await exchange(make_endpoint(server.url), request, clients=clients)

    assert outcome.ok
    assert outcome.token_param == "max_completion_tokens"
    assert outcome.stream_options_refused
    assert outcome.temperature_refused
    assert set(server.received[3].body) == {
        "model",
        "messages",
        "stream",
        "max_completion_tokens",
    }


async def test_the_refused_request_is_not_in_the_times(clients: ClientPool) -> None:
    refusal = make_status(400, REFUSAL)
    async with raw_server([1.5, *refusal], make_good()) as server:
        at_ns = now_ns()
        outcome = await exchange(
            make_endpoint(server.url), make_request(), clients=clients, sched_ns=at_ns, acq_ns=at_ns
        )

    assert outcome.figures()["ttft_ms"] < 1400
    assert outcome.figures()["response_ms"] < 1400


async def test_a_field_once_refused_to_a_model_is_not_sent_to_it_again(
    clients: ClientPool,
) -> None:
    refusal = make_status(400, {"error": {"message": "max_tokens is not supported"}})
    async with raw_server(refusal, make_good()) as server:
        outcomes = [await exchange(make_endpoint(server.url), make_request(), clients=clients)]
        outcomes += [await exchange(make_endpoint(server.url), make_request(), clients=clients)]

    assert all(outcome.ok for outcome in outcomes)
    assert [outcome.token_param for outcome in outcomes] == ["max_completion_tokens", None]
    assert ["max_tokens" in asked.body for asked in server.received] == [True, False, False]


async def test_what_was_taken_before_may_be_refused_in_its_turn(clients: ClientPool) -> None:
    refusal = make_status(400, {"error": {"message": "max_tokens is not supported"}})
    changed = make_status(400, {"error": {"message": "max_completion_tokens is not supported"}})
    async with raw_server(refusal, make_good(), changed, make_good()) as server:
        endpoint = make_endpoint(server.url)
        outcomes = [await exchange(endpoint, make_request(), clients=clients) for _ in range(2)]

    assert all(outcome.ok for outcome in outcomes)
    assert ["max_tokens" in asked.body for asked in server.received] == [True, False, False, True]


async def test_a_refused_field_is_tried_again_after_a_while(
    clients: ClientPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = make_status(400, REFUSAL)
    async with raw_server(refusal, make_good()) as server:
        endpoint = make_endpoint(server.url)
        await exchange(endpoint, make_request(), clients=clients)
        later_ns = now_ns() + 3_600_000_000_000
        monkeypatch.setattr("providers.adapters.refusals.now_ns", lambda: later_ns)
        await exchange(endpoint, make_request(), clients=clients)

    asked = ["stream_options" in received.body for received in server.received]
    assert asked == [True, False, True]


async def test_what_the_account_remembers_is_not_tried_again(clients: ClientPool) -> None:
    async with raw_server(make_good()) as server:
        endpoint = make_endpoint(
            server.url, stream_options=False, token_param="max_completion_tokens"
        )
        outcome = await exchange(endpoint, make_request(), clients=clients)

    assert not outcome.stream_options_refused
    assert server.received[0].body["max_completion_tokens"] == 9
    assert "stream_options" not in server.received[0].body


@pytest.mark.parametrize(
    "message", ["max_tokens must be at most 4096", "temperature must be below 2"]
)
async def test_a_wrong_value_is_not_mistaken_for_a_refused_field(
    clients: ClientPool, message: str
) -> None:
    async with raw_server(make_status(400, {"error": {"message": message}})) as server:
        request = make_request(temperature=9.0)
        outcome = await exchange(make_endpoint(server.url), request, clients=clients)

    assert outcome.failure is not None
    assert outcome.failure.error_class is ErrorClass.BAD_REQUEST
    assert len(server.received) == 1


async def test_a_server_that_refuses_both_names_ends_as_a_bad_request(clients: ClientPool) -> None:
    other = {"error": {"message": "Unrecognized request argument: max_completion_tokens"}}
    async with raw_server(make_status(400, WRONG_LIMIT), make_status(400, other)) as server:
        outcome = await exchange(make_endpoint(server.url), make_request(), clients=clients)

    assert outcome.failure is not None
    assert outcome.failure.error_class is ErrorClass.BAD_REQUEST
    assert len(server.received) == 2


async def test_an_event_cut_over_many_reads_is_stamped_when_it_is_whole(
    clients: ClientPool,
) -> None:
    event = make_delta(content="x")
    outcome = await ask(clients, [HEAD, event[:20], 0.05, event[20:-1], 0.05, event[-1:], STOP])

    assert outcome.figures()["ttft_ms"] >= 90


async def test_garbage_around_good_chunks_is_ignored(clients: ClientPool) -> None:
    noise = b": OPENROUTER PROCESSING\n\n" + make_event({"choices": []}) + b"id: 4\n\n"
    outcome = await ask(clients, [HEAD, noise, make_delta(content="x"), noise, STOP, DONE])

    assert outcome.ok
    assert outcome.text == "x"
