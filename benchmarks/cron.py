"""Points in time of a schedule: a cron expression or every so many hours, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from croniter import CroniterBadDateError, croniter

FIELDS = 5
NO_CRON = "Must be five cron fields that some day meet, for example '0 3 * * mon-fri'."
# croniter draws a number at random for these each time it is asked; no name of a month or a day
# begins so.
DRAWN = ("r", "h")
AT_SOME_TIME = datetime(2024, 1, 1, tzinfo=UTC)


def is_cron(text: str) -> bool:
    """Five fields: minute, hour, day of the month, month, day of the week; some day has to come."""
    parts = text.lower().replace(",", " ").split()
    if len(text.split()) != FIELDS or any(part.startswith(DRAWN) for part in parts):
        return False
    return bool(croniter.is_valid(text)) and _ever_comes(text)


def _ever_comes(text: str) -> bool:
    """Not so the 30th of February."""
    try:
        next_of_cron(text, AT_SOME_TIME)
    except CroniterBadDateError:
        return False
    return True


def next_of_cron(text: str, after: datetime) -> datetime:
    found: datetime = croniter(text, after.astimezone(UTC)).get_next(datetime)
    return found


def next_of_hours(every: timedelta, last_slot: datetime, after: datetime) -> datetime:
    """The first `last_slot + k·every` later than `after`: missed slots are left out, no drift."""
    if after < last_slot:
        return last_slot
    return last_slot + ((after - last_slot) // every + 1) * every
