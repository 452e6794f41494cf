"""Which shares wait for somebody to work on them, and the work itself."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import F

from monitoring.desk import Desk
from monitoring.models import RoundShare

NUDGES_PER_TICK = 500


def call_out(now: datetime) -> list[UUID]:
    """Shares that nobody works on: calling them again makes a lost message cost only seconds."""
    oldest_first = F("nudged_at").asc(nulls_first=True)
    waiting = RoundShare.objects.waiting(now).order_by(oldest_first, "id")[:NUDGES_PER_TICK]
    called = [share.pk for share in waiting if share.wants_nudge(now)]
    if called:
        RoundShare.objects.filter(pk__in=called).update(nudged_at=now)
    return called


def work_on(*share_ids: UUID) -> None:
    """Takes the shares that are free and works on them to their end, in this thread."""
    desk = Desk()
    for share_id in share_ids:
        desk.take(share_id)
    desk.run_until_idle()
