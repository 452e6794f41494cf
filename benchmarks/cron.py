"""Points in time of a schedule: a cron expression or every so many hours, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from croniter import croniter

FIELDS = 5


def is_cron(text: str) -> bool:
    """Five fields: minute, hour, day of the month, month, day of the week."""
    return len(text.split()) == FIELDS and bool(croniter.is_valid(text))


def next_of_cron(text: str, after: datetime) -> datetime:
    found: datetime = croniter(text, after.astimezone(UTC)).get_next(datetime)
    return found


def next_of_hours(every: timedelta, last_slot: datetime, after: datetime) -> datetime:
    """The first `last_slot + k·every` later than `after`: missed slots are left out, no drift."""
    if after < last_slot:
        return last_slot
    return last_slot + ((after - last_slot) // every + 1) * every
