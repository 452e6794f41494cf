"""Work that outlives a killed worker: a lease, a heartbeat and a fencing token in its row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

LEASE = timedelta(seconds=6)
HEARTBEAT_S = 2.0
# No lease reaches this far ahead, however far the clocks of two machines are apart: the clock has
# been put back since, and whoever still lives renews it within seconds.
TOO_FAR = timedelta(minutes=1)


def unheld(now: datetime) -> Q:
    """Rows that nobody works on: never claimed, handed back, or of a worker that is gone."""
    lease = "lease_expires_at"
    ended = Q(**{f"{lease}__lt": now}) | Q(**{f"{lease}__gt": now + LEASE + TOO_FAR})
    return Q(**{lease: None}) | ended


class LeaseLost(Exception):
    """Another worker owns the row now: whoever gets this must stop and write nothing."""


class Leased(models.Model):
    """A row that one worker at a time works on.

    `fence` grows with each claim. Every write of the owner names its fence in the same UPDATE, so
    a worker that slept through its lease can no longer change anything. `crashes` counts only
    leases that ran out, not orderly hand-overs.
    """

    fence = models.PositiveIntegerField(default=0, editable=False)
    crashes = models.PositiveSmallIntegerField(default=0, editable=False)
    lease_expires_at = models.DateTimeField(null=True, editable=False, db_index=True)
    status: models.CharField[str, str]

    open_states: ClassVar[tuple[str, ...]]
    running_state: ClassVar[str]

    class Meta:
        abstract = True

    @classmethod
    def claim(cls, pk: object, now: datetime | None = None) -> Self | None:
        """Takes the row if nobody holds it; None when somebody does or it has ended."""
        now = now or timezone.now()
        rows = cls._default_manager.filter(unheld(now), pk=pk, status__in=cls.open_states)
        row = rows.first()
        if row is None:
            return None
        crashed = row.lease_expires_at is not None
        taken = rows.filter(fence=row.fence).update(
            status=cls.running_state,
            fence=row.fence + 1,
            crashes=row.crashes + crashed,
            lease_expires_at=now + LEASE,
        )
        if not taken:
            return None
        row.refresh_from_db(fields=["status", "crashes", "lease_expires_at"])
        row.fence += 1
        return row

    def own(self, **changes: object) -> None:
        """Writes `changes` if this lease still holds; raises LeaseLost otherwise."""
        held = {"pk": self.pk, "fence": self.fence, "status": self.running_state}
        if not type(self)._default_manager.filter(**held).update(**changes):
            raise LeaseLost(f"{type(self).__name__} {self.pk}")

    def heartbeat(self, now: datetime | None = None) -> None:
        self.own(lease_expires_at=(now or timezone.now()) + LEASE)

    def release(self) -> None:
        """Hands the row back in an orderly way: the next claim is no crash."""
        self.own(lease_expires_at=None)
