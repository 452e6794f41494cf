from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from monitoring import rounds, shares
from monitoring.models import MonitoringConfig, Round, RoundShare
from monitoring.signals import round_recorded
from monitoring.tasks import tick
from tests.make import make_account, make_check, make_llm, make_round
from tests.monitoring.conftest import make_monitored

pytestmark = pytest.mark.django_db
NOW = timezone.now()
MINUTE = timedelta(minutes=1)


def make_config(**fields: Any) -> MonitoringConfig:
    config = MonitoringConfig.load()
    MonitoringConfig.objects.update(**fields)
    config.refresh_from_db()
    return config


def make_share(round: Round | None = None, **fields: Any) -> RoundShare:
    round = round or make_round(status=Round.Status.RUNNING)
    return RoundShare.objects.create(round=round, account=make_account(), **fields)


def end_all_rounds() -> None:
    RoundShare.objects.update(status=RoundShare.Status.COMPLETED)
    rounds.finish_left_over(timezone.now())


def slots() -> list[datetime]:
    return list(Round.objects.order_by("due_at").values_list("due_at", flat=True))


def test_a_due_round_has_one_share_for_each_account_with_monitored_models() -> None:
    account = make_account()
    for name in ("a", "b"):
        make_llm(account, name, enabled_for_monitoring=True)
    other = make_monitored().account
    make_llm(make_account(), "unmonitored")

    (opened,) = rounds.open_due(NOW)

    assert (opened.trigger, opened.status, opened.planned) == ("schedule", "queued", 3)
    assert set(opened.shares.values_list("account", flat=True)) == {account.pk, other.pk}


def test_a_round_keeps_the_settings_it_was_opened_with() -> None:
    make_config(prompt_pack="reasoning", max_tokens=7)
    make_monitored()

    (opened,) = rounds.open_due(NOW)

    assert (opened.prompt_pack, opened.max_tokens) == ("reasoning", 7)


def test_models_of_a_disabled_account_are_left_alone() -> None:
    make_llm(make_account(enabled=False), enabled_for_monitoring=True)
    assert rounds.open_due(NOW) == []


def test_without_monitored_models_the_schedule_moves_on_and_nothing_is_recorded() -> None:
    make_llm()
    assert rounds.open_due(NOW) == []
    config = MonitoringConfig.load()
    assert not Round.objects.exists()
    assert config.last_run_at is None
    assert config.next_due_at == NOW + config.interval


def test_a_switched_off_schedule_opens_nothing() -> None:
    make_config(enabled=False)
    make_monitored()
    assert rounds.open_due(NOW) == []


@pytest.mark.parametrize("interval_minutes", [None, 5])
def test_a_tick_that_read_the_settings_before_they_were_switched_off_opens_nothing(
    interval_minutes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_llm(enabled_for_monitoring=True, monitoring_interval_minutes=interval_minutes)
    read_before = make_config()
    make_config(enabled=False)
    monkeypatch.setattr(MonitoringConfig, "load", lambda: read_before)
    assert rounds.open_due(NOW) == []
    assert not Round.objects.exists()


def test_of_two_ticks_that_saw_the_same_slot_one_gets_it() -> None:
    first, second = MonitoringConfig.load(), MonitoringConfig.load()
    assert first.claim_slot(NOW)
    assert not second.claim_slot(NOW)


def test_two_beats_never_open_two_rounds_for_one_slot() -> None:
    make_config(next_due_at=NOW)
    make_monitored()
    rounds.open_due(NOW)
    end_all_rounds()
    rounds.open_due(NOW + timedelta(milliseconds=5))
    assert slots() == [NOW]


def test_the_database_refuses_a_second_round_for_a_slot() -> None:
    make_round(trigger="schedule", due_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_round(trigger="schedule", due_at=NOW)


@pytest.mark.django_db(transaction=True)
def test_many_ticks_at_the_same_moment_open_one_round() -> None:
    make_config(next_due_at=NOW)
    make_monitored()

    def open_in_thread(_: int) -> bool:
        try:
            return bool(rounds.open_due(NOW))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(open_in_thread, range(24)))

    assert opened.count(True) == 1
    assert slots() == [NOW]


@pytest.mark.django_db(transaction=True)
def test_many_requests_at_the_same_moment_share_one_manual_round() -> None:
    make_config()
    make_monitored()

    def ask(_: int) -> Round:
        try:
            return rounds.open_manual(NOW)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert len({opened.pk for opened in threads.map(ask, range(16))}) == 1


def test_the_schedule_does_not_drift_when_ticks_come_late() -> None:
    make_config(interval_minutes=1, next_due_at=NOW)
    make_monitored()
    for minute in range(4):
        rounds.open_due(NOW + minute * MINUTE + timedelta(seconds=7 * minute))
        end_all_rounds()
    assert slots() == [NOW + minute * MINUTE for minute in range(4)]


def test_downtime_is_made_up_for_with_one_round() -> None:
    make_config(interval_minutes=1, next_due_at=NOW - 90 * MINUTE)
    make_monitored()
    rounds.open_due(NOW)
    end_all_rounds()
    rounds.open_due(NOW + timedelta(seconds=1))
    assert slots() == [NOW]
    assert MonitoringConfig.load().next_due_at == NOW + MINUTE


def test_a_slot_is_left_out_while_every_model_is_still_probed_and_that_is_noted() -> None:
    make_config(interval_minutes=1, next_due_at=NOW)
    make_monitored()
    (running,) = rounds.open_due(NOW)

    assert rounds.open_due(NOW + MINUTE) == []

    running.refresh_from_db()
    assert running.skipped_slots == 1
    assert MonitoringConfig.load().next_due_at == NOW + 2 * MINUTE


def test_a_shorter_interval_that_has_passed_is_due_at_once() -> None:
    config = make_config(interval_minutes=60, next_due_at=NOW + 50 * MINUTE)
    config.change(NOW, interval_minutes=5)
    assert config.slot_due(NOW) == NOW


def test_switching_monitoring_on_makes_a_round_due_now() -> None:
    config = make_config(enabled=False, next_due_at=NOW + 50 * MINUTE)
    config.change(NOW, enabled=True)
    assert config.slot_due(NOW) == NOW


def test_saving_the_same_settings_again_moves_nothing() -> None:
    config = make_config(next_due_at=NOW + 3 * MINUTE)
    config.change(NOW, enabled=True, interval_minutes=config.interval_minutes)
    assert config.next_due_at == NOW + 3 * MINUTE


def test_a_manual_round_is_not_doubled_while_it_is_open() -> None:
    make_monitored()
    first, is_new = rounds.open_manual(NOW)
    second, is_second_new = rounds.open_manual(NOW)
    assert (first.pk, is_new, is_second_new) == (second.pk, True, False)
    end_all_rounds()
    assert rounds.open_manual(NOW)[1]


def test_a_manual_round_over_no_models_ends_at_once() -> None:
    opened, _ = rounds.open_manual(NOW)
    opened.refresh_from_db()
    assert (opened.status, opened.planned) == ("completed", 0)


def test_a_manual_round_may_run_beside_a_scheduled_one_and_while_switched_off() -> None:
    make_monitored()
    rounds.open_due(NOW)
    MonitoringConfig.objects.update(enabled=False)
    opened, is_new = rounds.open_manual(NOW)
    assert (is_new, opened.shares.count()) == (True, 1)


def test_a_round_with_an_open_share_cannot_end() -> None:
    share = make_share()
    assert not rounds.finish(share.round, NOW)
    share.round.refresh_from_db()
    assert share.round.is_open


def test_a_round_ends_once_and_says_so_after_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_config()
    share = make_share(status=RoundShare.Status.COMPLETED)
    heard: list[Round] = []

    def listen(round: Round, **kwargs: Any) -> None:
        heard.append(round)

    round_recorded.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            ended = [rounds.finish(share.round, NOW) for _ in range(2)]
    finally:
        round_recorded.disconnect(listen)
    assert ended == [True, False]
    assert [(round.pk, round.finished_at) for round in heard] == [(share.round.pk, NOW)]
    assert MonitoringConfig.load().last_run_at == NOW


def test_a_receiver_that_breaks_does_not_break_the_round(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("alerts are broken")

    share = make_share(status=RoundShare.Status.COMPLETED)
    round_recorded.connect(fail)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            assert rounds.finish(share.round, NOW)
    finally:
        round_recorded.disconnect(fail)


def test_the_tick_ends_a_round_whose_last_worker_died_before_it_could() -> None:
    share = make_share(status=RoundShare.Status.COMPLETED)
    tick()
    share.round.refresh_from_db()
    assert share.round.status == "completed"


def test_waiting_shares_are_called_and_not_called_again_at_once() -> None:
    share = make_share()
    now = share.created_at
    assert shares.call_out(now) == [share.pk]
    assert shares.call_out(now + timedelta(seconds=1)) == []
    assert shares.call_out(now + timedelta(seconds=6)) == [share.pk]


def test_a_share_with_an_expired_lease_is_called_and_one_with_a_live_lease_is_not() -> None:
    lost = make_share(
        status="running", lease_expires_at=NOW - timedelta(seconds=1), nudged_at=NOW - MINUTE
    )
    make_share(lost.round, status="running", lease_expires_at=NOW + timedelta(seconds=5))
    make_share(lost.round, status="completed")
    assert shares.call_out(NOW) == [lost.pk]


def test_a_lease_of_a_clock_that_was_put_back_holds_nobody_up() -> None:
    share = make_share(
        status="running", lease_expires_at=NOW + timedelta(hours=1), nudged_at=NOW + MINUTE * 60
    )
    assert shares.call_out(NOW) == [share.pk]
    assert RoundShare.claim(share.pk, NOW) is not None


def test_no_network_anywhere_marks_the_round_and_blames_no_provider() -> None:
    share = make_share(status=RoundShare.Status.COMPLETED)
    for port in range(3):
        account = make_account(
            {"base_url": f"http://10.0.0.{port}/v1"}, provider_type="custom_openai_compatible"
        )
        make_check(make_llm(account), share.round, status="down", error_class="connect")
    rounds.finish(share.round, NOW)
    assert share.round.self_offline
    assert not share.round.checks.filter(counts_for_uptime=True).exists()


def test_a_cancelled_round_without_a_network_blames_no_provider_either() -> None:
    share = make_share(status=RoundShare.Status.RUNNING)
    for port in range(3):
        account = make_account(
            {"base_url": f"http://10.0.0.{port}/v1"}, provider_type="custom_openai_compatible"
        )
        make_check(make_llm(account), share.round, status="down", error_class="connect")
    rounds.cancel(share.round, NOW)
    assert Round.objects.get().self_offline
    assert not share.round.checks.filter(counts_for_uptime=True).exists()


def test_three_accounts_at_one_host_that_is_away_are_not_our_own_missing_network() -> None:
    share = make_share(status=RoundShare.Status.COMPLETED)
    for name in "abc":
        account = make_account({"base_url": "http://10.0.0.1/v1"}, provider_type="lm_studio")
        make_check(make_llm(account, name), share.round, status="down", error_class="connect")
    rounds.finish(share.round, NOW)
    assert not share.round.self_offline


def test_a_tick_with_nothing_to_do_asks_four_questions_and_writes_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_config(next_due_at=timezone.now() + MINUTE)
    with django_assert_num_queries(4):
        tick()
