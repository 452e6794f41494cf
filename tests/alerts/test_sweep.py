from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts import delivery, evaluation, gathering, heartbeat, tasks
from alerts.models import AlertSettings, Delivery, RoundEvaluation
from alerts.webhook_addresses import masked
from monitoring.models import MonitoringConfig, Round
from tests.alerts.receivers import Receiver, answer, receiving
from tests.alerts.storing import make_channel, make_watched, minutes_ago, open_round, play, record
from tests.make import make_round, make_rule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that were handed to the broker, which then does nothing."""
    names: list[str] = []

    def note(task: Any, *args: str) -> None:
        names.append(task.name)

    monkeypatch.setattr(tasks, "send", note)
    monkeypatch.setattr(delivery, "enqueue", note)
    return names


def watch_heartbeat(receiver: Receiver) -> AlertSettings:
    row = AlertSettings.load()
    row.seal_heartbeat(receiver.url)
    row.save()
    return row


def test_a_sweep_with_nothing_to_do_asks_little(
    called: list[str], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    tasks.sweep()
    assert called == ["alerts.chores"]
    called.clear()
    with django_assert_max_num_queries(5):
        tasks.sweep()
    assert called == []


def test_a_sweep_finds_what_no_message_told_of(called: list[str]) -> None:
    make_rule()
    make_channel()
    llm = make_watched()
    record(open_round(llm), [llm])
    tasks.sweep()

    assert "alerts.deliver" in called


def test_a_channel_that_waits_for_its_next_attempt_is_not_called(called: list[str]) -> None:
    make_rule()
    make_channel()
    llm = make_watched()
    play([llm], "down", minutes_ago(20))
    play([llm], "up", minutes_ago(10))
    head = Delivery.objects.earliest("seq")
    Delivery.objects.filter(pk=head.pk).update(
        next_attempt_at=timezone.now() + timedelta(minutes=5)
    )
    called.clear()
    tasks.sweep()

    assert "alerts.deliver" not in called


def test_the_heartbeat_is_asked_as_often_as_wanted(receiver: Receiver) -> None:
    watch_heartbeat(receiver)
    now = timezone.now()

    assert heartbeat.claim(now)
    assert not heartbeat.claim(now + timedelta(seconds=59))
    assert heartbeat.claim(now + timedelta(seconds=61))
    assert heartbeat.ping()
    assert receiver.got[0].path == "/hooks/ops"
    assert AlertSettings.load().heartbeat_ok_at is not None


def test_a_heartbeat_that_fails_says_so(receiver: Receiver) -> None:
    receiver.behave = answer(503)
    watch_heartbeat(receiver)

    assert not heartbeat.ping()
    row = AlertSettings.load()
    assert (row.heartbeat_error, row.heartbeat_ok_at) == ("The receiver answered 503.", None)


def test_without_an_address_there_is_no_heartbeat() -> None:
    assert not heartbeat.claim()
    assert not heartbeat.ping()


def test_the_switch_stays_silent_when_monitoring_is_overdue(receiver: Receiver) -> None:
    watch_heartbeat(receiver)
    config = MonitoringConfig.load()
    MonitoringConfig.objects.filter(pk=config.pk).update(
        next_due_at=timezone.now() - timedelta(minutes=5)
    )
    assert not heartbeat.claim()

    MonitoringConfig.objects.update(enabled=False)
    assert heartbeat.claim()


def test_the_switch_stays_silent_when_rounds_are_not_judged(receiver: Receiver) -> None:
    watch_heartbeat(receiver)
    round = make_round(finished_at=minutes_ago(3))
    assert not heartbeat.claim()

    evaluation.evaluate_waiting()
    assert RoundEvaluation.objects.get(pk=round.pk).is_final
    assert heartbeat.claim()


def test_a_round_that_cannot_be_judged_holds_up_nobody(
    called: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_rule()
    make_channel()
    broken, sound = make_round(finished_at=minutes_ago(2)), make_round(finished_at=minutes_ago(1))
    record(sound, [make_watched()])
    seen_in = gathering.seen_in

    def fails_once_in_a_while(round: Round) -> Any:
        return seen_in(round) if round.pk != broken.pk else 1 / 0

    monkeypatch.setattr(gathering, "seen_in", fails_once_in_a_while)
    tasks.sweep()

    assert Delivery.objects.count() == 1
    assert "alerts.deliver" in called
    assert str(broken.pk) in caplog.text


def test_the_address_of_the_heartbeat_is_encrypted(receiver: Receiver) -> None:
    row = watch_heartbeat(receiver)
    assert receiver.url not in repr(vars(row))
    assert masked(receiver.url) == receiver.url


def test_a_chore_that_fails_keeps_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def fails() -> None:
        raise ValueError("broken")

    monkeypatch.setattr(tasks, "CHORES", (fails, lambda: done.append("other")))
    tasks.chores()
    assert done == ["other"]
