"""Alerts of one provider that overlap in time are one incident."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

# Two alerts that are no further apart are one story.
GAP = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class AlertSpan:
    """``provider_id`` None: it is about no single provider."""

    alert_id: UUID
    provider_id: UUID | None
    started_at: datetime
    ended_at: datetime | None
    llm_id: UUID | None = None
    error_class: str | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    provider_id: UUID | None
    started_at: datetime
    ended_at: datetime | None
    alert_ids: tuple[UUID, ...]
    llm_count: int
    error_classes: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


def incidents(alerts: Iterable[AlertSpan]) -> list[Incident]:
    """The newest first."""
    by_provider: dict[UUID | None, list[AlertSpan]] = defaultdict(list)
    for alert in alerts:
        by_provider[alert.provider_id].append(alert)
    found = [incident for each in by_provider.values() for incident in _of_provider(each)]
    return sorted(found, key=lambda each: each.started_at, reverse=True)


def _of_provider(alerts: Sequence[AlertSpan]) -> list[Incident]:
    groups: list[list[AlertSpan]] = []
    end: datetime | None = None
    for alert in sorted(alerts, key=lambda each: each.started_at):
        if groups and (end is None or alert.started_at <= end + GAP):
            groups[-1].append(alert)
            end = None if end is None or alert.ended_at is None else max(end, alert.ended_at)
        else:
            groups.append([alert])
            end = alert.ended_at
    return [_incident(group) for group in groups]


def _incident(group: Sequence[AlertSpan]) -> Incident:
    ends = [alert.ended_at for alert in group if alert.ended_at is not None]
    return Incident(
        provider_id=group[0].provider_id,
        started_at=group[0].started_at,
        ended_at=max(ends) if len(ends) == len(group) else None,
        alert_ids=tuple(alert.alert_id for alert in group),
        llm_count=len({alert.llm_id for alert in group if alert.llm_id}),
        error_classes=tuple(sorted({a.error_class for a in group if a.error_class})),
    )
