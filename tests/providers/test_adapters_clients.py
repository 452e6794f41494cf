from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Any

import pytest

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange, warm_up
from providers.simulator import running_simulator
from tests.providers.raw_server import DONE, HEAD, STOP, make_delta, make_good, raw_server

KEY = "sk-test-Ab12Cd34Ef56Gh78"


def make_endpoint(name: str = "a", key: str = KEY, identity: str = "") -> Endpoint:
    return Endpoint("test", f"http://{name}.example/v1", api_key=key, identity=identity)


def test_an_endpoint_shows_neither_key_nor_login() -> None:
    login = Endpoint(
        "custom",
        "https://user:hunter22@llm.example:8443/v1?k=v",
        api_key=KEY,
        headers={"Authorization": "Bearer hunter33"},
        query={"key": "hunter44"},
    )

    assert repr(login) == "Endpoint('custom', 'openai', 'llm.example:8443')"
    assert {KEY, "hunter33", "hunter44"} <= set(login.secrets)


def test_an_unreadable_address_has_no_host() -> None:
    assert Endpoint("custom", "http://[bad").host == ""


async def test_one_endpoint_has_one_client_whatever_its_limits() -> None:
    pool = ClientPool()
    async with pool.lease(make_endpoint()) as first:
        pass
    async with pool.lease(replace(make_endpoint(), ttft_timeout_s=1.0)) as second:
        assert second is first
    async with pool.lease(make_endpoint("b")) as other:
        assert other is not first
    await pool.close()


async def test_changed_credentials_retire_the_old_client() -> None:
    pool = ClientPool()
    async with pool.lease(make_endpoint(key="old-key", identity="account 1")) as old:
        pass
    async with pool.lease(make_endpoint(key="other-key", identity="account 2")) as other:
        pass
    async with pool.lease(make_endpoint(key="new-key", identity="account 1")):
        pass

    assert old.http.is_closed
    assert not other.http.is_closed
    assert len(pool) == 2
    await pool.close()


async def test_the_least_recently_used_client_goes_first() -> None:
    pool = ClientPool(limit=2)
    for name in ("a", "b", "a", "c"):
        async with pool.lease(make_endpoint(name)) as client:
            if name == "b":
                dropped = client
    assert len(pool) == 2
    assert dropped.http.is_closed
    await pool.close()


async def test_a_client_in_use_is_closed_only_after_its_last_lease() -> None:
    pool = ClientPool(limit=1)
    async with pool.lease(make_endpoint("a")) as busy, pool.lease(make_endpoint("b")):
        states = [busy.http.is_closed]
    states.append(busy.http.is_closed)

    assert states == [False, True]
    await pool.close()


async def test_an_evicted_client_finishes_its_stream() -> None:
    pool = ClientPool(limit=1)
    async with raw_server([HEAD, make_delta(content="x"), 0.2, STOP, DONE]) as slow:
        endpoint = Endpoint("test", f"{slow.url}/v1", api_key=KEY)
        task = asyncio.create_task(exchange(endpoint, ChatRequest("m", "p"), clients=pool))
        await asyncio.sleep(0.1)
        async with pool.lease(make_endpoint("b")):
            outcome = await task

    assert outcome.ok
    await pool.close()


async def test_closing_the_pool_closes_its_clients() -> None:
    pool = ClientPool()
    async with pool.lease(make_endpoint()) as client:
        pass
    await pool.close()

    assert client.http.is_closed
    assert len(pool) == 0


def test_a_pool_refuses_a_second_event_loop() -> None:
    pool = ClientPool()

    async def lease() -> None:
        async with pool.lease(make_endpoint()):
            pass

    async def lease_and_close() -> None:
        await lease()
        await pool.close()

    asyncio.run(lease_and_close())
    with pytest.raises(RuntimeError, match="one event loop"):
        asyncio.run(lease())


async def test_a_calibrated_bias_widens_the_error_bar() -> None:
    pool = ClientPool()
    pool.set_calibration(bias_ms=-7.0)
    async with raw_server(make_good()) as server:
        endpoint = Endpoint("test", f"{server.url}/v1", api_key=KEY)
        outcome = await exchange(endpoint, ChatRequest("m", "p"), clients=pool)

    assert outcome.figures()["uncertainty_ms"] >= 7.0
    await pool.close()


async def test_a_blocked_loop_shows_in_the_record() -> None:
    figures = await figures_with_a_block([make_delta(content="x"), 0.2, STOP, DONE])

    assert "client_lag" in figures["quality_flags"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel stamps arrivals on Linux")
async def test_a_block_that_touched_no_stamp_leaves_the_error_bar_small() -> None:
    figures = await figures_with_a_block([make_delta(content="x"), 0.2, STOP, DONE])

    assert figures["uncertainty_ms"] < 20


async def test_a_block_in_which_the_answer_came_widens_the_error_bar() -> None:
    pool = ClientPool()
    with running_simulator() as simulator:
        endpoint = Endpoint("test", f"{simulator.base_url}/v1", api_key=KEY)
        figures = await blocked(pool, endpoint, "sim:ttft=210,gap=5,tokens=6")
    await pool.close()

    assert figures["uncertainty_ms"] >= 25


async def figures_with_a_block(steps: list[Any]) -> dict[str, Any]:
    pool = ClientPool()
    async with raw_server([HEAD, 0.1, *steps]) as server:
        figures = await blocked(pool, Endpoint("test", f"{server.url}/v1", api_key=KEY), "m")
    await pool.close()
    return figures


async def blocked(pool: ClientPool, endpoint: Endpoint, model: str) -> dict[str, Any]:
    """The loop stands still from 0.2 s to 0.25 s after the question."""
    request = ChatRequest(model, "p")
    await exchange(endpoint, request, clients=pool)
    task = asyncio.create_task(exchange(endpoint, request, clients=pool))
    await asyncio.sleep(0.2)
    _block_the_loop_for(0.05)
    return (await task).figures()


def _block_the_loop_for(seconds: float) -> None:
    import time

    time.sleep(seconds)


async def test_warming_up_asks_over_both_wires_without_a_network() -> None:
    pool = ClientPool()
    outcomes = await warm_up(pool)

    assert [outcome.text for outcome in outcomes] == ["warm", "warm"]
    assert all(outcome.ok for outcome in outcomes)
    await pool.close()


async def test_many_models_of_an_endpoint_are_asked_again_as_they_were_built() -> None:
    pool = ClientPool()
    with running_simulator() as simulator:
        endpoint = Endpoint("lm_studio", f"{simulator.base_url}/v1")
        for _ in range(2):
            for number in range(100):
                asked = ChatRequest(f"sim:ttft=0,gap=0,tokens=2,seed={number}", "Hi", max_tokens=5)
                assert (await exchange(endpoint, asked, clients=pool)).ok
    async with pool.lease(endpoint) as client:
        assert len(client.built) == 100
        assert client.built_bytes == sum(len(p.request.content) for p, _ in client.built.values())
    await pool.close()


async def test_what_is_kept_for_an_endpoint_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.adapters.clients.BUILT_BYTES_IN_ALL", 5000)
    pool = ClientPool()
    with running_simulator() as simulator:
        endpoint = Endpoint("lm_studio", f"{simulator.base_url}/v1")
        for number in range(10):
            prompt = f"{number}" * 1000
            asked = ChatRequest("sim:ttft=0,gap=0,tokens=2", prompt, max_tokens=5)
            await exchange(endpoint, asked, clients=pool)
    async with pool.lease(endpoint) as client:
        assert 0 < client.built_bytes <= 5000
        assert len(client.built) == 4
    await pool.close()
