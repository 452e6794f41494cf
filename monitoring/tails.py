"""Checks that the rollups do not hold yet: those of rounds under way or just ended."""

from __future__ import annotations

from django.db.models import F, Q

from monitoring.models import UptimeCheck, UptimeCheckQuerySet


def not_rolled_up() -> UptimeCheckQuerySet:
    beyond = Q(round__rolled_to=None) | Q(llm_id__gt=F("round__rolled_to"))
    return UptimeCheck.objects.filter(beyond, round__rolled_up=False).order_by()
