"""Exchanges against the simulator, which knows when it truly wrote every chunk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange, list_models
from providers.adapters.endpoint import Protocol
from providers.loop import EngineLoop
from providers.measurement import Outcome
from providers.simulator import Simulator, running_simulator

pytestmark = pytest.mark.usefixtures("warm")
both_wires = pytest.mark.parametrize("protocol", ["openai", "anthropic"])


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


@pytest.fixture
async def clients() -> AsyncIterator[ClientPool]:
    pool = ClientPool()
    yield pool
    await pool.close()


def make_endpoint(simulator: Simulator, protocol: Protocol = "openai", **given: Any) -> Endpoint:
    limits = {"ttft_timeout_s": 2.0, "total_timeout_s": 4.0}
    url = f"{simulator.base_url}/v1"
    return Endpoint("custom", url, protocol, api_key="sim-key-0123456789", **(limits | given))


async def ask(
    simulator: Simulator, clients: ClientPool, model: str, protocol: Protocol = "openai"
) -> Outcome:
    request = ChatRequest(model, "Tell me something.", max_tokens=500)
    return await exchange(make_endpoint(simulator, protocol), request, clients=clients)


@both_wires
async def test_the_figures_are_those_of_the_server(
    simulator: Simulator, clients: ClientPool, protocol: Protocol
) -> None:
    outcome = await ask(simulator, clients, "sim:ttft=80,gap=5,tokens=40", protocol)

    figures = outcome.figures()
    assert outcome.failure is None
    assert (figures["output_tokens"], figures["token_source"]) == (40, "usage")
    record = simulator.log[-1]
    assert record.t_first_write is not None
    assert record.t_last_write is not None
    assert outcome.measurement is not None
    assert outcome.measurement.first_ns is not None
    assert outcome.measurement.last_ns is not None
    # What the machine held up on either side, and a millisecond for the loopback.
    held_up_ms = (record.worst_late_ns + record.longest_write_ns) / 1e6 + figures["uncertainty_ms"]
    assert 0 <= outcome.measurement.first_ns - record.t_first_write <= (held_up_ms + 1) * 1e6
    assert 0 <= outcome.measurement.last_ns - record.t_last_write <= (held_up_ms + 1) * 1e6
    true_tpot_ms = (record.t_last_write - record.t_first_write) / 39 / 1e6
    assert figures["tpot_ms"] == pytest.approx(true_tpot_ms, abs=(held_up_ms + 1) / 39)


async def test_many_streams_at_once_share_a_client_and_keep_their_figures(
    simulator: Simulator, clients: ClientPool
) -> None:
    asked = [ask(simulator, clients, "sim:ttft=100,gap=5,tokens=20") for _ in range(20)]
    outcomes = await asyncio.gather(*asked)

    assert all(outcome.ok for outcome in outcomes)
    assert {outcome.figures()["output_tokens"] for outcome in outcomes} == {20}
    assert len(clients) == 1


FAULTS = [
    ("status-401", "auth"),
    ("status-404", "not_found"),
    ("status-429", "rate_limited"),
    ("status-503", "overloaded"),
    ("insufficient-quota", "quota"),
    ("echo-key", "auth"),
    ("echo-key-masked", "auth"),
    ("content-filter-400", "content_filter"),
    ("content-filter", "content_filter"),
    ("truncated", "truncated"),
    ("ended-early", "truncated"),
    ("reset", "truncated"),
    ("error-event", "truncated"),
    ("stall", "timeout_total"),
    ("empty", "empty"),
    ("html", "malformed"),
    ("json-not-sse", "malformed"),
    ("hang", "timeout_ttft"),
    ("hang-after-headers", "timeout_ttft"),
    ("thinking-only", "no_answer"),
    ("no-done", None),
    ("comments", None),
    ("split", None),
    ("merged", None),
]


# Only what never ends needs a short limit, and only that of its class.
PATIENT = {"ttft_timeout_s": 60.0, "total_timeout_s": 60.0}
SHORT_LIMITS = {
    "hang": {"ttft_timeout_s": 0.5},
    "hang-after-headers": {"ttft_timeout_s": 0.5},
    "stall": {"total_timeout_s": 1.5},
}


@both_wires
@pytest.mark.parametrize(("fault", "error_class"), FAULTS, ids=[name for name, _ in FAULTS])
async def test_every_failure_of_the_simulator_has_its_class(
    simulator: Simulator,
    clients: ClientPool,
    protocol: Protocol,
    fault: str,
    error_class: str | None,
) -> None:
    endpoint = make_endpoint(simulator, protocol, **(PATIENT | SHORT_LIMITS.get(fault, {})))
    request = ChatRequest(f"sim:ttft=20,gap=2,tokens=20,fail={fault}", "Hi", max_tokens=99)
    outcome = await exchange(endpoint, request, clients=clients)

    assert (outcome.failure and outcome.failure.error_class.value) == error_class, outcome
    assert "0123456789" not in repr(outcome)


async def test_refused_fields_are_left_out(simulator: Simulator, clients: ClientPool) -> None:
    faults = "refuse-stream-options+refuse-max-tokens+refuse-temperature"
    request = ChatRequest(f"sim:ttft=5,gap=1,tokens=5,fail={faults}", "Hi", 99, temperature=0.0)
    outcome = await exchange(make_endpoint(simulator), request, clients=clients)

    assert outcome.failure is None
    assert outcome.stream_options_refused
    assert outcome.token_param == "max_completion_tokens"
    assert outcome.temperature_refused


@pytest.mark.parametrize("style", ["reasoning_content", "reasoning"])
async def test_visible_thoughts_come_before_the_answer(
    simulator: Simulator, clients: ClientPool, style: str
) -> None:
    model = f"sim:ttft=20,gap=30,tokens=10,reasoning=10,style={style}"
    figures = (await ask(simulator, clients, model)).figures()

    assert figures["ttfa_ms"] > figures["ttft_ms"]
    assert figures["reasoning_tokens"] == 10
    assert figures["tpot_ms"] is not None


@pytest.mark.parametrize("thoughts", ["included", "extra"])
async def test_hidden_thoughts_are_counted_and_flagged(
    simulator: Simulator, clients: ClientPool, thoughts: str
) -> None:
    model = f"sim:ttft=20,gap=2,tokens=10,reasoning=10,style=hidden,thoughts={thoughts}"
    figures = (await ask(simulator, clients, model)).figures()

    assert (figures["output_tokens"], figures["reasoning_tokens"]) == (20, 10)
    assert "hidden_reasoning" in figures["quality_flags"]


@both_wires
async def test_cached_input_is_part_of_the_input(
    simulator: Simulator, clients: ClientPool, protocol: Protocol
) -> None:
    outcome = await ask(simulator, clients, "sim:ttft=5,gap=1,tokens=5,cached=3", protocol)

    record, figures = simulator.log[-1], outcome.figures()
    assert figures["cached_tokens"] == 3
    assert figures["input_tokens"] == record.prompt_tokens


@both_wires
async def test_the_models_of_the_simulator_are_listed(
    simulator: Simulator, clients: ClientPool, protocol: Protocol
) -> None:
    found = await list_models(make_endpoint(simulator, protocol), clients=clients)

    assert found
    assert all(model.upstream_id for model in found)


def test_the_engine_loop_measures_as_well(simulator: Simulator) -> None:
    engine = EngineLoop()
    asked = ask(simulator, engine.clients, "sim:ttft=20,gap=2,tokens=10")
    outcome = engine.run(asked, timeout_s=10)
    engine.close()

    assert outcome.ok
    assert outcome.figures()["output_tokens"] == 10
