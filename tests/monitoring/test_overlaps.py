from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from models_app.models import LLM
from monitoring import rounds
from monitoring.models import Cadence, MonitoringConfig, Round
from tests.make import make_account, make_check, make_llm
from tests.monitoring.conftest import make_monitored

pytestmark = pytest.mark.django_db
NOW = timezone.now()
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def each_minute(db: None) -> None:
    MonitoringConfig.load()
    MonitoringConfig.objects.update(interval_minutes=1, next_due_at=NOW)


def opened_at(minute: int) -> Round:
    (opened,) = rounds.open_due(NOW + minute * MINUTE)
    return opened


def planned(round: Round) -> set[LLM]:
    """What a worker of the round would probe."""
    from monitoring.works import _missing

    return {llm for share in round.shares.all() for llm in _missing(share)}


def test_a_model_still_probed_sits_out_and_the_others_of_its_account_go_on() -> None:
    account = make_account()
    hanging, quick = (make_llm(account, name, enabled_for_monitoring=True) for name in "ab")
    make_check(quick, opened_at(0))

    second = opened_at(1)

    assert planned(second) == {quick}
    assert (second.planned, second.overlapping) == (1, 1)
    assert Round.objects.filter(pk__lt=second.pk, status="queued").exists()
    assert hanging not in planned(second)


def test_a_model_that_sat_out_takes_part_again_once_it_has_its_result() -> None:
    account = make_account()
    hanging, quick = (make_llm(account, name, enabled_for_monitoring=True) for name in "ab")
    first = opened_at(0)
    make_check(quick, first)
    second = opened_at(1)
    make_check(hanging, first)
    make_check(quick, second)
    assert planned(opened_at(2)) == {hanging, quick}


def test_an_account_whose_models_all_hang_delays_no_other_account() -> None:
    hanging, other = make_monitored(), make_monitored()
    make_check(other, opened_at(0))
    second = opened_at(1)
    assert set(second.shares.values_list("account", flat=True)) == {other.account_id}
    assert hanging not in planned(second)


def test_a_manual_round_that_hangs_holds_up_no_scheduled_one() -> None:
    llm = make_monitored()
    rounds.open_manual(NOW)
    assert planned(opened_at(0)) == {llm}


def test_a_model_with_an_interval_of_its_own_has_rounds_of_its_own() -> None:
    usual = make_monitored()
    rare = make_llm(enabled_for_monitoring=True, monitoring_interval_minutes=5)
    both = rounds.open_due(NOW)
    assert [(round.interval_minutes, planned(round)) for round in both] == [
        (None, {usual}),
        (5, {rare}),
    ]
    assert Cadence.objects.get().next_due_at == NOW + 5 * MINUTE


def test_own_intervals_keep_their_rhythm_beside_the_global_one() -> None:
    usual = make_monitored()
    rare = make_llm(enabled_for_monitoring=True, monitoring_interval_minutes=3)
    for minute in range(7):
        for opened in rounds.open_due(NOW + minute * MINUTE):
            for llm in planned(opened):
                make_check(llm, opened)
            opened.shares.update(status="completed")
            rounds.finish(opened, NOW)
    assert (usual.checks.count(), rare.checks.count()) == (7, 3)


def test_an_own_interval_of_a_model_nobody_watches_opens_nothing() -> None:
    make_llm(monitoring_interval_minutes=3)
    assert rounds.open_due(NOW) == []
    assert not Cadence.objects.exists()


def test_switching_monitoring_on_makes_own_intervals_due_as_well() -> None:
    make_llm(enabled_for_monitoring=True, monitoring_interval_minutes=60)
    rounds.open_due(NOW)
    config = MonitoringConfig.load()
    config.change(NOW, enabled=False)
    assert rounds.open_due(NOW + 90 * MINUTE) == []
    config.change(NOW + 90 * MINUTE, enabled=True)
    Round.objects.all().delete()
    assert len(rounds.open_due(NOW + 91 * MINUTE)) == 1


@pytest.mark.parametrize("step", [timedelta(days=3), timedelta(days=-3)])
def test_after_the_clock_was_set_the_next_round_is_due_within_two_intervals(
    step: timedelta,
) -> None:
    make_monitored()
    rounds.open_due(NOW)
    Round.objects.update(status="completed")
    opened = [rounds.open_due(NOW + step + minute * MINUTE) for minute in range(3)]
    assert any(opened)
