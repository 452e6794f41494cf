from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitoring.schedule import due_after_change, due_slot, is_nudge_due

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def test_a_schedule_that_never_ran_is_due_now() -> None:
    assert due_slot(None, 15 * MINUTE, NOON) == NOON


def test_nothing_is_due_before_its_time() -> None:
    assert due_slot(NOON + SECOND, MINUTE, NOON) is None


def test_a_late_tick_keeps_the_slot_it_is_late_for() -> None:
    assert due_slot(NOON, MINUTE, NOON + 3 * SECOND) == NOON


def test_after_downtime_only_the_newest_missed_slot_is_due() -> None:
    assert due_slot(NOON, 15 * MINUTE, NOON + 50 * MINUTE) == NOON + 45 * MINUTE


def test_a_slot_set_by_a_clock_that_was_put_back_is_due_now() -> None:
    assert due_slot(NOON + 60 * MINUTE, 15 * MINUTE, NOON) == NOON


def test_a_clock_put_back_by_less_than_an_interval_is_noticed_too() -> None:
    assert due_slot(NOON + 17 * MINUTE, 15 * MINUTE, NOON) == NOON


def test_a_tick_of_a_slow_clock_does_not_mistake_the_next_slot_for_a_wrong_one() -> None:
    assert due_slot(NOON + MINUTE + 30 * SECOND, MINUTE, NOON) is None


def test_a_longer_interval_counts_from_the_last_slot() -> None:
    assert due_after_change(NOON, 15 * MINUTE, 60 * MINUTE, NOON) == NOON + 45 * MINUTE


def test_a_shorter_interval_that_has_already_passed_is_due_at_once() -> None:
    next_due, now = NOON + 10 * MINUTE, NOON
    assert due_after_change(next_due, 15 * MINUTE, MINUTE, now) == now


def test_the_same_interval_changes_nothing() -> None:
    assert due_after_change(NOON, MINUTE, MINUTE, NOON + 5 * MINUTE) == NOON


def test_a_share_nobody_was_told_of_is_called_at_once() -> None:
    assert is_nudge_due(None, NOON, NOON)


def test_a_called_share_gets_five_seconds_to_start() -> None:
    assert not is_nudge_due(NOON, NOON, NOON + 4.9 * SECOND)
    assert is_nudge_due(NOON, NOON, NOON + 5 * SECOND)


def test_a_share_whose_worker_vanished_after_the_call_is_called_at_once() -> None:
    assert is_nudge_due(NOON, NOON + 6 * SECOND, NOON + 6 * SECOND)


def test_calls_grow_rarer_but_never_rarer_than_every_fifteen_seconds() -> None:
    called = NOON + 600 * SECOND
    assert not is_nudge_due(called, NOON, called + 14 * SECOND)
    assert is_nudge_due(called, NOON, called + 15 * SECOND)


def test_a_call_that_lies_ahead_was_made_by_a_clock_that_was_put_back() -> None:
    assert is_nudge_due(NOON + 60 * MINUTE, NOON, NOON + SECOND)
    assert is_nudge_due(NOON, NOON + 60 * MINUTE, NOON + SECOND)
