"""Checks that the rollups do not hold yet: those of rounds under way or just ended."""

from __future__ import annotations

from django.db.models import Q

from monitoring.models import Round, UptimeCheck, UptimeCheckQuerySet

# After an upgrade there may be any number of them.
NAMED = 200


def not_rolled_up() -> UptimeCheckQuerySet:
    """Rounds are looked up first: named, they lead every database to the index by round."""
    rounds = Round.objects.filter(rolled_up=False).order_by()
    waiting = list(rounds.values_list("pk", "rolled_to")[: NAMED + 1])
    partly = [(pk, rolled_to) for pk, rolled_to in waiting if rolled_to is not None]
    rows = UptimeCheck.objects.order_by()
    rows = rows.filter(round__in=[pk for pk, _ in waiting] if len(waiting) <= NAMED else rounds)
    for pk, rolled_to in partly:
        rows = rows.exclude(Q(round=pk) & Q(llm__lte=rolled_to))
    return rows
