"""Alerts as values: their states, their events, and what a rule says about a scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from providers.errors import ErrorClass

FLAPPING_FROM = 3
# Stands where a rule's id would: notices about the monitoring itself have no rule.
NOTICES_KEY = UUID("00000000-0000-7000-8000-000000000003")


class EventKind(StrEnum):
    OPENED = "opened"
    SEEN = "seen"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    FLAPPING = "flapping"
    STABLE = "stable"
    ACKNOWLEDGED = "acknowledged"
    NOTED = "noted"
    REMINDED = "reminded"
    UNMUTED = "unmuted"


class ResolveReason(StrEnum):
    """Only ``recovered`` is good news; the others are never sent."""

    RECOVERED = "recovered"
    WENT_DOWN = "went_down"
    PROMPTS_CHANGED = "prompts_changed"
    MONITORING_OFF = "monitoring_off"
    PROVIDER_DISABLED = "provider_disabled"
    LLM_DELETED = "llm_deleted"
    RULE_DISABLED = "rule_disabled"
    RULE_CHANGED = "rule_changed"
    RULE_DELETED = "rule_deleted"
    SCHEDULE_ENDED = "schedule_ended"
    BASELINE_CHANGED = "baseline_changed"
    CHANNEL_RESTORED = "channel_restored"
    CHANNEL_DELETED = "channel_deleted"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class AlertState:
    """An alert's row as the rules see it; ``alert_id`` None has no row yet.

    ``reopened`` counts relapses since the alert was last stable; ``reopened_at`` is the latest.
    """

    rule_id: UUID
    scope: str
    opened_at: datetime
    last_seen_at: datetime
    message: str
    alert_id: UUID | None = None
    llm_id: UUID | None = None
    error_class: ErrorClass | None = None
    occurrences: int = 1
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    resolve_reason: ResolveReason | None = None
    reopened: int = 0
    reopened_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def is_flapping(self) -> bool:
        return self.reopened >= FLAPPING_FROM

    def seen_again(self, now: datetime) -> AlertState:
        # The one step that a storm repeats for every open alert: a third of replace()'s cost.
        return AlertState(
            self.rule_id,
            self.scope,
            self.opened_at,
            now,
            self.message,
            self.alert_id,
            self.llm_id,
            self.error_class,
            self.occurrences + 1,
            self.acknowledged_at,
            self.resolved_at,
            self.resolve_reason,
            self.reopened,
            self.reopened_at,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to the alert (rule, scope). A quiet one is for the timeline alone."""

    kind: EventKind
    rule_id: UUID
    scope: str
    at: datetime
    message: str
    quiet: bool = False
    reason: ResolveReason | None = None
    alert_id: UUID | None = None
    llm_ids: tuple[UUID, ...] = ()
    error_class: ErrorClass | None = None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule says about one scope in one round; ``holds`` None: it cannot tell.

    ``opening`` and ``recovery`` are the sentences for the two ways it may turn (the recovery
    without its end). A condition that ended for another ``reason`` than recovery is not news.
    """

    scope: str
    holds: bool | None
    subject: str
    opening: str
    recovery: str
    reason: ResolveReason = ResolveReason.RECOVERED
    llm_ids: tuple[UUID, ...] = ()
    error_class: ErrorClass | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The states that are new or different, and what to tell."""

    states: tuple[AlertState, ...] = ()
    events: tuple[Event, ...] = ()
