from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from alerts.silencing import Mute, Window
from tests.alerts.builders import NOON, make_id

HOUR = timedelta(hours=1)
A, B, RULE = make_id(1), make_id(2), make_id(9)
ACCOUNT = make_id(5)


@pytest.mark.parametrize(("at", "covered"), [(-1, False), (0, True), (59, True), (60, False)])
def test_once_is_from_until(at: int, covered: bool) -> None:
    window = Window(NOON, NOON + HOUR)
    assert window.covers(NOON + timedelta(minutes=at)) is covered


def weekly(**fields: object) -> Window:
    defaults = {"weekdays": frozenset({6}), "start_time": time(22), "duration": 4 * HOUR}
    return Window(**(defaults | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        (datetime(2026, 3, 1, 21, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 1, 22, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 2, 1, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 2, 2, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 4, 23, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 8, 23, 0, tzinfo=UTC), True),
    ],
)
def test_every_sunday_night_runs_into_monday(moment: datetime, covered: bool) -> None:
    assert weekly().covers(moment) is covered


def test_a_weekly_silence_keeps_local_time_over_the_change_of_clocks() -> None:
    berlin = weekly(start_time=time(9), duration=HOUR, timezone="Europe/Berlin")
    assert berlin.covers(datetime(2026, 3, 22, 8, 30, tzinfo=UTC))
    assert not berlin.covers(datetime(2026, 3, 29, 8, 30, tzinfo=UTC))
    assert berlin.covers(datetime(2026, 3, 29, 7, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        # The clocks of Berlin jump from 02:00 to 03:00: what was to begin at 02:30 begins at 03:30.
        (datetime(2026, 3, 29, 1, 29, tzinfo=UTC), False),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 2, 29, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 2, 30, tzinfo=UTC), False),
        # In autumn 02:30 comes twice; the silence comes once, with the first.
        (datetime(2026, 10, 25, 0, 29, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 1, 29, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), False),
    ],
)
def test_a_weekly_silence_lasts_as_long_as_it_says_when_the_clocks_change(
    moment: datetime, covered: bool
) -> None:
    window = weekly(start_time=time(2, 30), duration=HOUR, timezone="Europe/Berlin")
    assert window.covers(moment) is covered


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        # Sunday 22:00 there.
        ("Pacific/Kiritimati", datetime(2026, 3, 1, 8, 0, tzinfo=UTC)),
        ("Pacific/Pago_Pago", datetime(2026, 3, 2, 9, 0, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 3, 1, 16, 15, tzinfo=UTC)),
    ],
)
def test_the_day_of_the_week_is_that_of_the_time_zone(zone: str, moment: datetime) -> None:
    window = weekly(timezone=zone)
    assert window.covers(moment)
    assert window.covers(moment + 4 * HOUR - timedelta(seconds=1))
    assert not window.covers(moment - timedelta(seconds=1))
    assert not window.covers(moment + 4 * HOUR)


def test_a_weekly_silence_may_last_for_days() -> None:
    window = weekly(duration=timedelta(days=3))
    assert window.covers(datetime(2026, 3, 4, 21, 59, tzinfo=UTC))
    assert not window.covers(datetime(2026, 3, 4, 22, 0, tzinfo=UTC))


def test_a_weekly_silence_ends_with_its_bounds() -> None:
    until = datetime(2026, 3, 8, 0, 0, tzinfo=UTC)
    assert weekly(ends_at=until).covers(datetime(2026, 3, 1, 23, 0, tzinfo=UTC))
    assert not weekly(ends_at=until).covers(datetime(2026, 3, 8, 23, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("mute", "llms", "matches"),
    [
        (Mute(), [], True),
        (Mute(), [(A, ACCOUNT)], True),
        (Mute(rule_id=RULE), [(A, ACCOUNT)], True),
        (Mute(rule_id=A), [(A, ACCOUNT)], False),
        (Mute(llm_id=A), [(A, ACCOUNT)], True),
        (Mute(llm_id=A), [(B, ACCOUNT)], False),
        (Mute(account_id=ACCOUNT), [(A, ACCOUNT), (B, ACCOUNT)], True),
        (Mute(account_id=ACCOUNT), [(A, ACCOUNT), (B, RULE)], False),
        (Mute(llm_id=A, rule_id=A), [(A, ACCOUNT)], False),
        (Mute(account_id=ACCOUNT), [], False),
    ],
)
def test_what_is_given_must_all_match(
    mute: Mute, llms: list[tuple[UUID, UUID]], matches: bool
) -> None:
    assert mute.matches(RULE, llms) is matches
