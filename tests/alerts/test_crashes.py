"""A worker may die between any two steps: nothing is lost, the order stays, the id is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from alerts import delivery, evaluation, gathering, outbox
from alerts.evaluation import evaluate_waiting
from alerts.letters import Case
from alerts.models import Alert, AlertEvent, Attempt, Channel, Delivery, RoundEvaluation
from models_app.models import LLM
from tests.alerts.receivers import Receiver, answer, receiving, slowly
from tests.alerts.storing import end, make_channel, make_watched, minutes_ago, open_round, record
from tests.make import make_rule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def channel(receiver: Receiver) -> Channel:
    make_rule()
    return make_channel(config={"url": receiver.url})


def store_round(llm: LLM, status: str, minute: float) -> None:
    round = open_round(llm, at=minutes_ago(minute))
    record(round, [llm], status, at=minutes_ago(minute))
    end(round, minutes_ago(minute))


def work(channel: Channel) -> None:
    evaluate_waiting()
    delivery.drain(channel.pk)


def work_afresh(channel: Channel) -> None:
    """Another worker, once the lease of the dead one has run out."""
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(lease_expires_at__isnull=False).update(lease_expires_at=past)
    work(channel)


def deadly(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """The function, and the end of the process before or after it."""

    def kill(*args: Any, **kwargs: Any) -> Any:
        if after:
            function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return kill


def work_and_die(channel: Channel, step: str, *, after: bool) -> None:
    """In a process of its own, which is gone without another word."""
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of threads, of which it needs none
        child = os.fork()
    if child == 0:
        try:
            owner, name = STEPS[step]
            setattr(owner, name, deadly(getattr(owner, name), after=after))
            work(channel)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


STEPS: dict[str, tuple[Any, str]] = {
    "gathering the facts": (gathering, "seen_in"),
    "writing the alerts": (evaluation, "write_states"),
    "writing the timeline": (AlertEvent.objects, "bulk_create"),
    "writing the outbox": (outbox, "send"),
    "marking the round": (RoundEvaluation, "save"),
    "calling a worker": (delivery, "call_out"),
    "claiming": (Delivery, "claim"),
    "sending": (delivery, "_answer"),
    "noting the attempt": (Attempt.objects, "create"),
    "settling": (delivery, "_settle"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_dies_at_a_step_loses_nothing(
    step: str, after: bool, channel: Channel, receiver: Receiver
) -> None:
    llm = make_watched()
    for status, minute in (("down", 30), ("up", 20)):
        store_round(llm, status, minute)
    work_and_die(channel, step, after=after)
    work_afresh(channel)

    wanted = [str(pk) for pk in Delivery.objects.order_by("seq").values_list("id", flat=True)]
    assert len(wanted) == 2
    assert list(dict.fromkeys(receiver.ids)) == wanted
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert list(AlertEvent.objects.values_list("kind", flat=True)) == ["opened", "resolved"]
    assert Alert.objects.get().occurrences == 1
    assert Attempt.objects.filter(ok=True).count() == 2


def test_nothing_overtakes_a_message_whose_sender_died(
    channel: Channel, receiver: Receiver
) -> None:
    llm = make_watched()
    for status, minute in (("down", 30), ("up", 20)):
        store_round(llm, status, minute)
    work_and_die(channel, "sending", after=False)
    assert delivery.drain(channel.pk) == 0
    assert receiver.got == []
    work_afresh(channel)

    types = [json.loads(each.body)["type"] for each in receiver.got]
    assert types == ["alerts.down", "alerts.recovered"]


def test_a_worker_that_slept_through_its_lease_writes_nothing(
    channel: Channel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_round(make_watched(), "down", 10)
    evaluate_waiting()
    answering = delivery._answer

    def overtaken(mine: Delivery, case: Case) -> Any:
        monkeypatch.setattr(delivery, "_answer", answering)
        work_afresh(channel)
        return answering(mine, case)

    monkeypatch.setattr(delivery, "_answer", overtaken)
    delivery.drain(channel.pk)

    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    assert Attempt.objects.count() == 1
    assert Delivery.objects.get().status == "delivered"


WORKER = """
import django
django.setup()
from uuid import UUID
from alerts.delivery import drain
from alerts.evaluation import evaluate_waiting
from alerts.letters import Case
print("ready", flush=True)
evaluate_waiting()
drain(UUID({channel!r}))
"""


def start_worker(channel: Channel) -> subprocess.Popen[str]:
    own = {
        "DJANGO_SETTINGS_MODULE": "arguslm.settings",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "SECRET_KEY": settings.SECRET_KEY,
        "ENCRYPTION_KEY": settings.ENCRYPTION_KEYS[0],
        "ARGUSLM_DATA_DIR": str(settings.DATA_DIR),
    }
    code = WORKER.format(channel=str(channel.pk))
    return subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | own, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_kill_9_at_any_time_loses_nothing(channel: Channel, receiver: Receiver) -> None:
    llms = [make_watched() for _ in range(3)]
    receiver.behave = slowly(0.05, answer(200))
    for kill in range(8):
        for llm in llms:
            store_round(llm, "up" if kill % 2 else "down", 300 - 30 * kill)
        worker = start_worker(channel)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(0.06 * kill)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
        past = timezone.now() - timedelta(seconds=1)
        Delivery.objects.filter(lease_expires_at__isnull=False).update(lease_expires_at=past)
    work_afresh(channel)

    wanted = [str(pk) for pk in Delivery.objects.order_by("seq").values_list("id", flat=True)]
    kinds = list(AlertEvent.objects.filter(quiet=False).values_list("alert", "kind"))
    assert len(kinds) == 24
    assert list(dict.fromkeys(receiver.ids)) == wanted
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
