from __future__ import annotations

from enum import StrEnum

from alerts.states import NOTICES_KEY, Event, EventKind


class Topic(StrEnum):
    """What a message is about; bundles never mix topics."""

    DOWN = "down"
    SLOW = "slow"
    RECOVERED = "recovered"
    REMINDER = "reminder"
    NOTICE = "notice"
    TEST = "test"


OPENING_TOPICS = (Topic.DOWN, Topic.SLOW, Topic.NOTICE)
# A channel that missed the opening hears of it first by a reminder.
CASE_TOPICS = (*OPENING_TOPICS, Topic.REMINDER)


def topic_of(event: Event) -> Topic:
    if event.kind is EventKind.REMINDED:
        return Topic.REMINDER
    if not event.is_open:
        return Topic.RECOVERED
    if event.rule_id == NOTICES_KEY:
        return Topic.NOTICE
    return Topic.SLOW if event.scope.startswith(("perf:", "bench:")) else Topic.DOWN
