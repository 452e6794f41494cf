"""Who needs attention, since when, and how a storm stays readable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from arguslm.dashboard.sparkline import SLOTS, Beat
from arguslm.dashboard.standings import standings
from arguslm.dashboard.troubles import MOST_LINES, NAMED, Since, lines, since_of
from monitoring.models import MonitoringConfig, UptimeCheck
from tests.make import make_account, make_alert, make_check, make_llm

Read = Callable[[str], str]
NOW = timezone.now()


def make_beats(*states: str) -> list[Beat]:
    """A minute apart, the newest is now."""
    start = NOW - timedelta(minutes=len(states) - 1)
    return [Beat(start + timedelta(minutes=i), None, state) for i, state in enumerate(states)]


def make_down() -> UptimeCheck:
    return UptimeCheck(status="down", created_at=NOW)


def ago(minutes: int) -> Since:
    return Since(NOW - timedelta(minutes=minutes))


def test_trouble_begins_with_the_first_failure_in_a_row() -> None:
    assert since_of(make_down(), make_beats("down", "up", "down", "down")) == ago(1)


def test_another_kind_of_trouble_is_another_state() -> None:
    assert since_of(make_down(), make_beats("up", "degraded", "down")) == ago(0)


def test_the_first_checks_of_all_have_nothing_before_them() -> None:
    assert since_of(make_down(), make_beats("down", "down")) == ago(1)


def test_what_began_before_we_looked_is_said_to_be_longer() -> None:
    beats = make_beats(*["down"] * SLOTS)
    assert since_of(make_down(), beats) == Since(NOW - timedelta(minutes=SLOTS - 1), True)


def test_an_alert_remembers_when_it_began() -> None:
    beats = make_beats(*["down"] * SLOTS)
    opened_at = NOW - timedelta(days=2)
    assert since_of(make_down(), beats, opened_at) == Since(opened_at)


def test_an_alert_of_an_earlier_outage_does_not_date_a_new_one() -> None:
    opened_at = NOW - timedelta(days=2)
    assert since_of(make_down(), make_beats("up", "down"), opened_at) == ago(0)


@pytest.mark.django_db
def test_models_that_fail_alike_are_one_line() -> None:
    account = make_account()
    for number in range(NAMED + 8):
        llm = make_llm(account, enabled_for_monitoring=True)
        broken = number < NAMED + 3
        make_check(
            llm, status="down" if broken else "up", error_class="connect" if broken else None
        )
    other = make_llm(account, enabled_for_monitoring=True)
    make_check(other, status="down", error_class="auth")
    found = lines(standings(MonitoringConfig.load(), timezone.now()))
    assert [(line.size, line.of, len(line.members)) for line in found] == [
        (NAMED + 3, NAMED + 9, NAMED),
        (1, NAMED + 9, 1),
    ]


@pytest.mark.django_db
def test_the_overview_says_who_is_down_why_and_who_owns_it(text_of: Read) -> None:
    llm = make_llm(upstream_id="broken", enabled_for_monitoring=True)
    make_check(llm, status="down", error_class="connect", error="Nothing listens there.")
    alert = make_alert(llm=llm, message="broken is down.")
    part = text_of("/overview").split("Needs attention")[1].split("</section>")[0]
    for written in ("broken", "no connection", "Nothing listens there.", f"ack-{alert.pk}"):
        assert written in part, written


@pytest.mark.django_db
def test_a_slow_model_needs_attention_though_it_is_up(text_of: Read) -> None:
    llm = make_llm(upstream_id="slow-one", enabled_for_monitoring=True)
    make_check(llm)
    make_alert(llm=llm, rule_type="performance_degradation", message="TTFT 1,840 ms, usual 410 ms")
    part = text_of("/overview").split("Needs attention")[1]
    assert "TTFT 1,840 ms, usual 410 ms" in part
    assert "slow-one" in part


@pytest.mark.django_db
def test_a_storm_over_many_accounts_is_cut_and_counted(text_of: Read) -> None:
    for _ in range(MOST_LINES + 2):
        make_check(make_llm(enabled_for_monitoring=True), status="down", error_class="connect")
    text = text_of("/overview")
    assert text.count('<li id="t-') == MOST_LINES
    assert "2 more</a>" in text
