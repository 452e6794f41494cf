from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest
import pytest_asyncio

from providers.wire import kernel_stamps, turnstile
from providers.wire.transport import ArgusTransport
from providers.wire.turnstile import Turnstile, turnstile_of
from tests.providers.wire.corpus import OK
from tests.providers.wire.peer import Peer, keeping

Serve = Callable[..., Awaitable[Peer]]
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


class Pair:
    """Two connected sockets; what arrives at the watched end is kept."""

    def __init__(self, watch: Turnstile) -> None:
        self.far, self.near = socket.socketpair()
        self.near.setblocking(False)
        self.got = b""
        self._watch = watch
        watch.add(self.near.fileno(), self.read)

    def read(self) -> None:
        self.got += self.near.recv(4096)

    def close(self) -> None:
        self._watch.remove(self.near.fileno())
        self.near.close()
        self.far.close()


@pytest_asyncio.fixture
async def pairs() -> AsyncIterator[list[Pair]]:
    watch = turnstile_of(asyncio.get_running_loop())
    made = [Pair(watch) for _ in range(50)]
    yield made
    for pair in made:
        pair.close()


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_true():
            await asyncio.sleep(0.005)


async def test_what_comes_alone_is_read_at_once(pairs: list[Pair]) -> None:
    pairs[0].far.send(b"one")
    await until(lambda: pairs[0].got == b"one")

    assert not turnstile_of(asyncio.get_running_loop()).is_crowded


async def test_a_crowd_is_looked_at_in_batches_until_it_is_gone(pairs: list[Pair]) -> None:
    watch = turnstile_of(asyncio.get_running_loop())
    sent = 0

    def is_crowded() -> bool:
        nonlocal sent
        for pair in pairs:
            pair.far.send(b"x")
        sent += 1
        return watch.is_crowded

    await until(is_crowded)
    await until(lambda: not watch.is_crowded)

    assert [pair.got for pair in pairs] == [b"x" * sent] * 50
    pairs[7].far.send(b"y")
    await until(lambda: pairs[7].got.endswith(b"y"))


async def test_a_socket_that_another_one_closes_is_let_alone(pairs: list[Pair]) -> None:
    first, second = pairs[:2]
    calls: list[Pair] = []

    def close_both() -> None:
        for pair in (first, second):
            calls.append(pair)
            if pair in pairs:
                pairs.remove(pair)
                pair.close()

    first.read = second.read = close_both  # type: ignore[method-assign]
    watch = turnstile_of(asyncio.get_running_loop())
    for pair in (first, second):
        watch.remove(pair.near.fileno())
        watch.add(pair.near.fileno(), close_both)
        pair.far.send(b"x")
    await until(lambda: bool(calls))
    await asyncio.sleep(0.01)

    assert calls == [first, second]


@pytest.mark.parametrize("is_crowded", [False, True])
async def test_it_ends_with_its_last_socket(
    monkeypatch: pytest.MonkeyPatch, is_crowded: bool
) -> None:
    monkeypatch.setattr(turnstile, "CROWD_PER_S", -1 if is_crowded else 1_000_000)
    loop = asyncio.get_running_loop()
    watch = turnstile_of(loop)
    pair = Pair(watch)
    pair.far.send(b"x")
    await until(lambda: pair.got == b"x")
    await asyncio.sleep(0.01)

    assert turnstile_of(loop) is watch
    assert watch.is_crowded is is_crowded
    pair.close()
    assert loop not in turnstile._turnstiles


@pytest.mark.parametrize("has_stamps", [True, False])
async def test_only_stamped_connections_wait_their_turn(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, has_stamps: bool
) -> None:
    if not has_stamps:
        monkeypatch.setattr(kernel_stamps, "enable", lambda sock: False)
    peer = await serve(keeping(HELLO))
    transport = ArgusTransport()
    response = await transport.handle_async_request(httpx2.Request("GET", peer.url))

    assert await response.aread() == b"hello"
    assert (asyncio.get_running_loop() in turnstile._turnstiles) is has_stamps
    await transport.aclose()
    assert asyncio.get_running_loop() not in turnstile._turnstiles
