"""When the next round is due, and when a waiting share is called out again: pure arithmetic."""

from __future__ import annotations

from datetime import datetime, timedelta

NUDGE_PAUSE = timedelta(seconds=5)
LONGEST_NUDGE_PAUSE = timedelta(seconds=15)
# How far apart the clocks of two machines may be before one takes the other's slots for its own.
SKEW = timedelta(minutes=1)


def due_slot(next_due_at: datetime | None, interval: timedelta, now: datetime) -> datetime | None:
    """The newest slot that is due; however many were missed, one round makes up for them."""
    if next_due_at is None or next_due_at > now + interval + SKEW:
        # A slot that far ahead was set by a clock that has since been put back.
        return now
    if next_due_at > now:
        return None
    return next_due_at + (now - next_due_at) // interval * interval


def due_after_change(
    next_due_at: datetime | None, old: timedelta, new: timedelta, now: datetime
) -> datetime | None:
    """The next slot once the interval is another: counted from the last slot, never in the past."""
    if next_due_at is None or old == new:
        return next_due_at
    return max(now, next_due_at - old + new)


def is_nudge_due(nudged_at: datetime | None, waiting_since: datetime, now: datetime) -> bool:
    """At once when a worker has vanished since the last call, then at growing distances.

    At once as well when a moment lies ahead: then the clock has been put back.
    """
    if nudged_at is None or nudged_at < waiting_since or max(nudged_at, waiting_since) > now:
        return True
    return now - nudged_at >= max(NUDGE_PAUSE, min(nudged_at - waiting_since, LONGEST_NUDGE_PAUSE))
