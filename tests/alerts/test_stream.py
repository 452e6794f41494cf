"""The live list of alerts: through the real guard, a real broker, and without one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections
from pytest_django import Settings

from alerts import consumers, feed
from alerts.announcements import announce
from alerts.models import Alert
from arguslm.asgi import application
from tests.benchmarks.conftest import use_broker
from tests.make import make_alert

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("channel_layer")]


@pytest.fixture(autouse=True)
async def let_go_of_the_database() -> AsyncIterator[None]:
    """The thread that reads for the feed keeps its connection, and PostgreSQL its database."""
    yield
    await sync_to_async(connections.close_all)()


def connection(**scope: Any) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), *scope.pop("headers", [])]
    socket = WebsocketCommunicator(application, "/api/v1/alerts/stream", headers=headers)
    socket.scope["client"] = scope.get("client", ["127.0.0.1", 50_000])
    return socket


WAIT_S = 30  # a busy machine is slow, not wrong


@asynccontextmanager
async def watching() -> AsyncIterator[WebsocketCommunicator]:
    socket = connection()
    connected, _ = await socket.connect(WAIT_S)
    assert connected
    try:
        yield socket
    finally:
        if not socket.future.done():
            await socket.disconnect(timeout=WAIT_S)


async def told(socket: WebsocketCommunicator) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(await socket.receive_from(WAIT_S))
    return body


async def test_a_page_is_told_the_unread_alerts_at_once() -> None:
    alert = await sync_to_async(make_alert)(message="gpt-4 is down.")
    async with watching() as socket:
        body = await told(socket)

    assert (body["type"], body["unread"]) == ("alerts", 1)
    assert [(each["id"], each["message"]) for each in body["items"]] == [
        (str(alert.pk), "gpt-4 is down.")
    ]


async def test_a_page_is_told_when_alerts_move() -> None:
    async with watching() as first, watching() as second:
        assert (await told(first))["unread"] == (await told(second))["unread"] == 0
        alert = await sync_to_async(make_alert)()
        await sync_to_async(announce)()
        assert (await told(first))["unread"] == (await told(second))["unread"] == 1

        await sync_to_async(alert.acknowledge)()
        await sync_to_async(announce)()
        assert (await told(first))["unread"] == 0


async def test_a_hint_without_news_is_not_told() -> None:
    async with watching() as socket:
        await told(socket)
        await sync_to_async(announce)()
        assert await socket.receive_nothing(timeout=0.6)


async def test_alerts_that_are_not_for_the_pages_are_not_told() -> None:
    await sync_to_async(make_alert)(in_app=False)
    async with watching() as socket:
        assert (await told(socket))["items"] == []


async def test_without_a_broker_the_pages_learn_of_it_a_little_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_broker(settings, "redis://127.0.0.1:9/0")
    monkeypatch.setattr(feed, "LOOK_S", 0.2)
    async with watching() as socket:
        assert (await told(socket))["unread"] == 0
        await sync_to_async(make_alert)()
        assert (await told(socket))["unread"] == 1


async def test_an_idle_page_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "IDLE_S", 0.2)
    async with watching() as socket:
        await told(socket)
        assert await told(socket) == {"type": "ping"}


async def test_the_last_page_to_leave_closes_the_feed() -> None:
    async with watching() as socket:
        await told(socket)
        assert feed._feeds
    assert feed._feeds == {}


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ({"client": ["192.0.2.7", 50_000]}, 4401),
        ({"headers": [(b"authorization", b"Bearer argus_wrong")]}, 4401),
        ({"headers": [(b"origin", b"https://evil.example")]}, 4403),
    ],
)
async def test_strangers_are_shown_nothing(scope: dict[str, Any], code: int) -> None:
    await sync_to_async(make_alert)()
    socket = connection(**scope)
    await socket.connect()
    message = await socket.receive_output(3)

    assert (message["type"], message["code"]) == ("websocket.close", code)
    assert await sync_to_async(Alert.objects.count)() == 1
