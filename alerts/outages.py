"""Outages in a series of checks, as the alert rules would have seen them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.lifecycle import RELAPSE_WITHIN


@dataclass(frozen=True, slots=True)
class Episode:
    """``ended_at`` None: it still goes on."""

    started_at: datetime
    cause: str
    ended_at: datetime | None = None


def outage_episodes(looks: Iterable[tuple[datetime, bool | None, str]]) -> list[Episode]:
    """``looks``: time, whether it was down (None: unknown) and the cause, oldest first.

    A relapse belongs to the episode before it, because it reopens that alert.
    """
    found: list[Episode] = []
    for at, is_down, cause in looks:
        last = found[-1] if found else None
        is_open = last is not None and last.ended_at is None
        if is_down and not is_open:
            if last is not None and last.ended_at and at - last.ended_at <= RELAPSE_WITHIN:
                found[-1] = replace(last, ended_at=None)
            else:
                found.append(Episode(at, cause))
        elif is_down is False and last is not None and is_open:
            found[-1] = replace(last, ended_at=at)
    return found
