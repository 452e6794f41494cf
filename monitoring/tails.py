"""Checks that the rollups do not hold yet: those of rounds under way or just ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db.models import Q

from monitoring.models import Round, UptimeCheck, UptimeCheckQuerySet

# After an upgrade there may be any number of rounds.
NAMED = 200
ATTEMPTS = 3
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tail:
    """The rounds that are not folded at one moment; of those that are in part, up to which LLM."""

    rounds: frozenset[tuple[UUID, UUID | None]]

    @classmethod
    def now(cls) -> Tail:
        waiting = Round.objects.filter(rolled_up=False).order_by("created_at")
        return cls(frozenset(waiting.values_list("pk", "rolled_to")[: NAMED + 1]))

    def checks(self) -> UptimeCheckQuerySet:
        """Rounds are named: that leads every database to the index by round."""
        ids = {pk for pk, _ in self.rounds}
        rows = UptimeCheck.objects.order_by()
        if len(ids) > NAMED:
            rows = rows.filter(round__in=Round.objects.filter(rolled_up=False).order_by())
        else:
            rows = rows.filter(round__in=ids)
        for pk, rolled_to in self.rounds:
            if rolled_to is not None:
                rows = rows.exclude(Q(round=pk) & Q(llm__lte=rolled_to))
        return rows

    def has_moved(self) -> bool:
        """Whether a fold has taken anything from it since. New rounds take nothing."""
        return not self.rounds <= Tail.now().rounds


def steadily(read: Callable[[Tail], T]) -> T:
    """What `read` makes of rollups and tail together: again if a fold came in between.

    A check that moves from one to the other is otherwise counted twice or not at all.
    """
    for _ in range(ATTEMPTS - 1):
        tail = Tail.now()
        found = read(tail)
        if not tail.has_moved():
            return found
    return read(Tail.now())
