"""Whole hours and whole UTC days: pure arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    return hour_of(moment).replace(hour=0)


def next_whole(moment: datetime, span: timedelta) -> datetime:
    """The first begin of an hour or day that is not before `moment`."""
    begin = day_of(moment) if span == DAY else hour_of(moment)
    return begin if begin == moment else begin + span
