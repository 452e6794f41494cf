from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alerts.models import AlertRule, Channel
from arguslm.dashboard import words
from arguslm.dashboard.sparkline import SLOTS, WIDTH, Beat, sparkline
from arguslm.dashboard.templatetags import figures
from monitoring.summaries import Uptime
from providers.errors import ErrorClass
from providers.statistics.intervals import Interval


def make_beat(ttft_ms: float | None = None, status: str = "up") -> Beat:
    return Beat(datetime(2026, 1, 1, tzinfo=UTC), ttft_ms, status)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), ("", "–"), (0.0, "0.00"), (3.41, "3.41"), (34.12, "34.1"), (3412.6, "3,413")],  # noqa: RUF001
)
def test_figures_have_three_digits_that_matter(value: float | None, text: str) -> None:
    assert figures.figure(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (1.0, "100 %"), (0.999999, "99.99 %"), (0.5, "50 %"), (2 / 3, "66.66 %")],  # noqa: RUF001
)
def test_a_share_is_never_rounded_up(share: float | None, text: str) -> None:
    assert figures.percent(share) == text


def test_uncertainty_is_written_short() -> None:
    assert figures.give_or_take(None) == figures.give_or_take("") == ""
    assert [figures.give_or_take(u) for u in (0.01, 3.21, 34.4)] == ["±<0.1", "±3.2", "±34"]


def test_money_keeps_its_small_parts() -> None:
    assert figures.dollars(None) == "–"  # noqa: RUF001 - an en dash is meant
    assert figures.dollars(Decimal("0.0123400000")) == "$0.01234"


def test_uptime_says_what_it_is_made_of() -> None:
    note = figures.uptime_note(Uptime(up=8, down=2, excluded_down=1))
    assert note.startswith("8 of 9 checks were answered; 95 % interval ")
    assert note.endswith("Left out: 1 with a fault on our side.")
    assert "No check" in figures.uptime_note(Uptime())


def test_times_are_exact_and_in_utc() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    exact = "2026-01-02 03:04:05 UTC"
    assert figures.moment(at) == (
        f'<time datetime="2026-01-02T03:04:05.000Z" title="{exact}">{exact}</time>'
    )
    assert figures.moment(None, "never") == "never"
    assert 'data-as="age"' in figures.age(at)
    assert 'data-as="exact"' in figures.clock(at)


def test_intervals_are_written_short() -> None:
    assert figures.percents(Interval(0.9451, 0.9987, 0.95)) == "94.5–99.9"  # noqa: RUF001
    assert figures.bounds(Interval(9.3, 1200.0, 0.95)) == "9.30–1,200"  # noqa: RUF001
    assert figures.percents(None) == figures.bounds(None) == ""


def test_spans_of_time_have_two_units() -> None:
    start = datetime(2026, 1, 2, tzinfo=UTC)
    assert figures.lasting(start, start + timedelta(hours=3, minutes=5)) == "3 h 5 min"
    assert (figures.minutes(90), figures.minutes(None)) == ("1 h 30 min", "")
    assert figures.weekdays([4, 0]) == "Mon, Fri"


def test_every_code_has_words() -> None:
    assert set(words.ERRORS) >= {error.value for error in ErrorClass}
    assert set(words.RULE_TYPES) == set(AlertRule.Type.values)
    assert set(words.CHANNEL_KINDS) == set(Channel.Kind.values)


def test_a_sparkline_has_gaps_where_nothing_is_known_and_marks_where_it_failed() -> None:
    beats = [make_beat(100), make_beat(200), make_beat(None, "down"), make_beat(), make_beat(50)]
    made = sparkline(beats)
    assert made.line.count("M") == 2
    assert made.line.count("L") == 1
    assert len(made.failures) == 1
    assert made.last is not None
    assert made.last[0] < WIDTH
    assert made.label == "Last 5 checks: TTFT 50 to 200 ms, 1 failed."


def test_a_sparkline_shows_the_newest_checks_only() -> None:
    made = sparkline([make_beat(float(n)) for n in range(100)])
    assert made.line.count("L") == SLOTS - 1
    assert made.label.startswith("Last 30 checks: TTFT 70 to 99 ms")


def test_a_sparkline_of_failures_has_no_line() -> None:
    made = sparkline([make_beat(None, "down")])
    assert (made.line, made.last) == ("", None)
    assert made.label == "Last 1 check: no TTFT, 1 failed."
