"""Whether a silence covers a moment and an alert."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """From `starts_at` to `ends_at`; with weekdays (0 is Monday) only every week at
    `start_time` of `timezone` for `duration` within them."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekdays: frozenset[int] = frozenset()
    start_time: time | None = None
    duration: timedelta = timedelta()
    timezone: str = "UTC"

    def covers(self, now: datetime) -> bool:
        if self.starts_at is not None and now < self.starts_at:
            return False
        if self.ends_at is not None and now >= self.ends_at:
            return False
        return not self.weekdays or self._covers_this_week(now)

    def _covers_this_week(self, now: datetime) -> bool:
        if self.start_time is None:
            return False
        zone = _zone(self.timezone)
        today = now.astimezone(zone).date()
        days = (today - timedelta(days=back) for back in range(self.duration.days + 2))
        starts = (
            datetime.combine(day, self.start_time, zone).astimezone(UTC)
            for day in days
            if day.weekday() in self.weekdays
        )
        return any(start <= now < start + self.duration for start in starts)


@dataclass(frozen=True, slots=True)
class Mute:
    """A silence that is active now: what it matches. None matches everything."""

    account_id: UUID | None = None
    llm_id: UUID | None = None
    rule_id: UUID | None = None

    def matches(self, rule_id: UUID, llms: Iterable[tuple[UUID, UUID]]) -> bool:
        """`llms`: (LLM, account) of all that the alert is about; each of them must match."""
        if self.rule_id not in (None, rule_id):
            return False
        if self.account_id is None and self.llm_id is None:
            return True
        about = list(llms)
        return bool(about) and all(
            self.llm_id in (None, llm_id) and self.account_id in (None, account_id)
            for llm_id, account_id in about
        )


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
