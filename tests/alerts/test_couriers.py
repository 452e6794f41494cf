"""Threads that carry messages, one for each channel: slow receivers hold up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler

import pytest
from django.utils import timezone

from alerts import couriers as at_work
from alerts import delivery
from alerts.couriers import Couriers
from alerts.models import Channel, Delivery
from alerts.transports import Answer
from tests.alerts.receivers import Behaviour, answer, receiving
from tests.alerts.storing import make_channel, make_watched, play
from tests.embedded.house import wait_until
from tests.make import make_rule

pytestmark = pytest.mark.django_db(transaction=True)
LONG_S = 30.0


@pytest.fixture
def couriers() -> Iterator[Couriers]:
    made = Couriers()
    yield made
    made.leave()
    made.wait(LONG_S)


def until(gate: threading.Event) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        gate.wait(LONG_S)
        answer(204)(handler)

    return behave


def statuses(channel: Channel) -> list[str]:
    return list(Delivery.objects.filter(channel=channel).values_list("status", flat=True))


def test_a_healthy_receiver_does_not_wait_for_many_that_hang(couriers: Couriers) -> None:
    gate = threading.Event()
    with ExitStack() as stack:
        stack.callback(couriers.wait, LONG_S)
        stack.callback(gate.set)
        hanging = [stack.enter_context(receiving(until(gate))) for _ in range(40)]
        healthy = stack.enter_context(receiving())
        made = [make_channel(config={"url": each.url}) for each in [*hanging, healthy]]
        make_rule()
        play([make_watched()], "down")
        assert all(couriers.take(channel.pk) for channel in made)

        assert wait_until(lambda: statuses(made[-1]) == ["delivered"], LONG_S)
        assert wait_until(lambda: all(each.got for each in hanging), LONG_S)
        assert statuses(made[0]) == ["sending"]


def test_a_channel_has_one_courier_at_a_time(couriers: Couriers) -> None:
    gate = threading.Event()
    with receiving(until(gate)) as receiver:
        channel = make_channel(config={"url": receiver.url})
        make_rule()
        play([make_watched()], "down")
        assert couriers.take(channel.pk)
        assert wait_until(lambda: bool(receiver.got), LONG_S)
        assert not couriers.take(channel.pk)
        gate.set()
        couriers.wait(LONG_S)

        assert statuses(channel) == ["delivered"]
        assert couriers.take(channel.pk)


def test_whom_the_couriers_turn_away_waits_for_the_next_sweep(
    couriers: Couriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "CHANNELS_AT_ONCE", 0)
    assert not couriers.take(make_channel().pk)


def test_a_process_that_ends_hands_back_what_it_cannot_finish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiving() as receiver:
        channel = make_channel(config={"url": receiver.url})
        make_rule()
        play([make_watched()], "down")
        cut_off: Future[Answer] = Future()
        cut_off.cancel()
        with monkeypatch.context() as patch:
            patch.setattr(delivery, "begin", lambda *args: cut_off)
            assert not delivery.send_next(channel.pk)
        waiting = Delivery.objects.get()
        assert delivery.due_channels(timezone.now()) == [channel.pk]
        assert delivery.drain(channel.pk) == 1

    assert receiver.ids == [str(waiting.id)]
    assert Delivery.objects.get().crashes == 0


def test_a_fault_with_one_channel_is_logged_and_ends_only_its_courier(
    couriers: Couriers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "send_next", lambda channel_id: 1 / 0)
    channel = make_channel()
    assert couriers.take(channel.pk)
    couriers.wait(LONG_S)

    assert str(channel.pk) in caplog.text
    assert couriers.take(channel.pk)
