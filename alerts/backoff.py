"""When a delivery that failed is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DELAYS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
)
GIVE_UP_AFTER = timedelta(hours=24)


def next_attempt(attempts_made: int, now: datetime, retry_after_s: float | None) -> datetime:
    """After `attempts_made` (at least 1) failures; never before the receiver wants it."""
    delay = DELAYS[min(attempts_made, len(DELAYS)) - 1]
    asked = timedelta(seconds=min(retry_after_s or 0.0, GIVE_UP_AFTER.total_seconds()))
    return now + max(delay, asked)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds or an HTTP date (RFC 9110, 10.2.3); None when it is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year no integer holds
        return None
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
