from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from monitoring import retention
from monitoring.hours import day_of
from monitoring.models import CheckRollup, MonitoringConfig, Round, RoundShare, UptimeCheck
from monitoring.retention import move_on, sweep
from monitoring.rollups import roll_up_waiting
from tests.make import make_account, make_llm
from tests.monitoring.history import make_past_round

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = timedelta(days=1)
URL = "/api/v1/monitoring/uptime"


@pytest.fixture
def old_history(db: None) -> None:
    MonitoringConfig.load()
    llm = make_llm()
    for age in range(0, 60, 5):
        make_past_round([llm], NOW - age * DAY)
    roll_up_waiting(60)


def sweep_all(now: datetime = NOW) -> None:
    move_on(now)
    while sweep():
        pass


def test_checks_are_deleted_after_their_days_and_their_hours_and_days_stay(
    old_history: None,
) -> None:
    sweep_all()
    oldest = UptimeCheck.objects.earliest("created_at").created_at
    assert oldest >= day_of(NOW) - 30 * DAY
    assert UptimeCheck.objects.count() == 7
    assert CheckRollup.objects.hourly().checks() == CheckRollup.objects.daily().checks() == 12


def test_rounds_go_with_their_checks(old_history: None) -> None:
    sweep_all()
    horizon = MonitoringConfig.horizon()
    assert horizon is not None
    # A round may have begun before midnight and have checks from after it.
    assert not Round.objects.filter(created_at__lt=horizon - DAY).exists()
    assert Round.objects.count() in (7, 8)


def test_lists_and_totals_agree_at_every_moment(
    old_history: None, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    deadlines = iter(range(1, 1000))
    monkeypatch.setattr(retention, "now_ns", lambda: next(deadlines))
    move_on(NOW)
    left = True
    while left:
        left = bool(sweep(at_most_s=5e-9))
        body = api.get(URL).json()
        assert body["total"] == len(body["items"])
    assert body["total"] == UptimeCheck.objects.count() == 7


def test_checks_that_are_not_folded_yet_are_kept(db: None) -> None:
    MonitoringConfig.load()
    make_past_round([make_llm()], NOW - 60 * DAY)
    sweep_all()
    assert UptimeCheck.objects.count() == 1
    roll_up_waiting()
    sweep_all()
    assert UptimeCheck.objects.count() == 0


def test_hourly_figures_go_after_their_days_and_daily_ones_only_when_told_so(
    old_history: None,
) -> None:
    MonitoringConfig.objects.update(raw_days=8, hourly_days=20)
    sweep_all()
    assert (CheckRollup.objects.hourly().count(), CheckRollup.objects.daily().count()) == (5, 12)
    MonitoringConfig.objects.update(daily_days=40)
    sweep_all()
    assert CheckRollup.objects.daily().count() == 9


def test_a_clock_that_is_wrong_for_minutes_costs_a_day_or_two_and_not_the_lot(
    old_history: None,
) -> None:
    MonitoringConfig.objects.update(daily_days=91)
    sweep_all()
    before = [UptimeCheck.objects.count(), CheckRollup.objects.count()]
    for _ in range(2):
        sweep_all(NOW + 365 * DAY)
    sweep_all(NOW)
    left = [UptimeCheck.objects.count(), CheckRollup.objects.count()]
    assert left in (before, [before[0] - 1, before[1]])
    sweep_all(NOW + DAY)
    assert MonitoringConfig.load().swept_at == NOW + DAY


def test_ended_shares_go_after_two_days_and_open_ones_stay(old_history: None) -> None:
    account = make_account()
    rounds = list(Round.objects.order_by("-created_at")[:3])
    for past, status in zip(rounds, ("completed", "completed", "queued"), strict=True):
        share = RoundShare.objects.create(round=past, account=account, status=status)
        RoundShare.objects.filter(pk=share.pk).update(created_at=past.created_at)
    sweep_all()
    assert sorted(RoundShare.objects.values_list("status", flat=True)) == ["completed", "queued"]
