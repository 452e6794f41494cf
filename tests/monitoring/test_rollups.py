from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError

from monitoring import rollups
from monitoring.histograms import Histogram
from monitoring.models import CheckRollup, Round, Spending, UptimeCheck
from monitoring.rollups import roll_up_waiting
from monitoring.tails import Tail
from providers.statistics.quantiles import quantile
from tests.make import make_check, make_llm, make_round
from tests.monitoring.history import make_history, make_past_round

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def only(span: str) -> CheckRollup:
    return CheckRollup.objects.get(span=span)


def test_checks_of_a_round_that_is_over_are_folded_into_hour_and_day() -> None:
    llm = make_llm()
    for number, status in enumerate(("up", "up", "degraded", "down")):
        make_check(llm, status=status, created_at=NOON + number * MINUTE, ttft_ms=100.0)
    make_check(llm, status="down", counts_for_uptime=False, created_at=NOON + 5 * MINUTE)

    assert roll_up_waiting() == 5

    for span, start in (("h", NOON), ("d", NOON - 12 * HOUR)):
        row = only(span)
        assert (row.start, row.up, row.degraded, row.down) == (start, 2, 1, 2)
        assert (row.excluded_degraded, row.excluded_down) == (0, 1)
        assert Histogram.unpack(row.ttft).n == 4


def test_folding_again_changes_nothing() -> None:
    llm = make_llm()
    make_history([llm], NOON, 3, MINUTE)
    roll_up_waiting()
    before = list(CheckRollup.objects.values())
    assert roll_up_waiting() == 0
    assert list(CheckRollup.objects.values()) == before


def test_a_round_under_way_waits(db: None) -> None:
    make_check(round=make_round(status="running"))
    assert roll_up_waiting() == 0
    assert Tail.now().checks().count() == 1


def test_a_cancelled_round_is_folded_as_well() -> None:
    make_check(round=make_round(status="cancelled"))
    assert roll_up_waiting() == 1


def test_a_round_is_folded_in_chunks_and_an_interrupted_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 2)
    llms = [make_llm() for _ in range(5)]
    past = make_past_round(llms, NOON)
    assert rollups._fold_chunk(past) == 2
    assert Tail.now().checks().count() == 3
    assert roll_up_waiting() == 3
    assert CheckRollup.objects.hourly().checks() == 5
    assert not Tail.now().checks().exists()


def test_of_two_that_fold_the_same_chunk_one_gets_it() -> None:
    past = make_past_round([make_llm()], NOON)
    also = Round.objects.get(pk=past.pk)
    assert rollups._fold_chunk(past) == 1
    assert rollups._fold_chunk(also) is None
    assert CheckRollup.objects.hourly().checks() == 1


def test_a_fold_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    past = make_past_round([make_llm()], NOON)

    def fail(*args: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(rollups, "_book", fail)
    with pytest.raises(OperationalError):
        roll_up_waiting()
    monkeypatch.undo()
    assert (CheckRollup.objects.count(), Tail.now().checks().count()) == (0, 1)
    assert rollups._fold_chunk(Round.objects.get(pk=past.pk)) == 1


def test_hours_and_days_add_up_to_the_checks() -> None:
    llms = [make_llm() for _ in range(3)]
    make_history(llms, NOON, 60, 30 * MINUTE)
    roll_up_waiting(60)
    for rows in (CheckRollup.objects.hourly(), CheckRollup.objects.daily()):
        assert rows.checks() == UptimeCheck.objects.count()
        for status in ("up", "degraded", "down"):
            assert rows.checks(status) == UptimeCheck.objects.filter(status=status).count()


def test_percentiles_of_a_day_are_within_five_percent_of_the_exact_ones() -> None:
    llm = make_llm()
    make_history([llm], NOON - 12 * HOUR, 90, 15 * MINUTE)
    roll_up_waiting(60)
    answered = UptimeCheck.objects.exclude(ttft_ms=None).values_list("ttft_ms", flat=True)
    exact = [value for value in answered if value is not None]
    found = Histogram.unpack(only("d").ttft).quantiles(0.5, 0.95, 0.99)
    assert found == pytest.approx([quantile(exact, p) for p in (0.5, 0.95, 0.99)], rel=0.05)


def test_what_a_month_has_cost_outlives_the_model() -> None:
    llm = make_llm()
    make_past_round([llm], NOON, status="up", estimated_cost=Decimal("0.25"))
    make_past_round([llm], NOON + 40 * 24 * HOUR, status="up", estimated_cost=Decimal("0.5"))
    roll_up_waiting()
    llm.delete()
    assert [(str(row.month), row.usd) for row in Spending.objects.order_by("month")] == [
        ("2026-05-01", Decimal("0.25")),
        ("2026-06-01", Decimal("0.5")),
    ]
