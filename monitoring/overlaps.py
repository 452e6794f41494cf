"""LLMs that an earlier scheduled round is still probing: they sit out, everybody else goes on."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from django.db.models import F

from models_app.models import LLM
from monitoring.models import Round, RoundShare, UptimeCheck

log = logging.getLogger(__name__)


def busy_llms(
    account_ids: Collection[UUID], interval_minutes: int | None
) -> Mapping[UUID, frozenset[UUID]]:
    """By account: the LLMs of open scheduled shares that have no check in their round yet."""
    rounds = Round.objects.open().filter(
        trigger=Round.Trigger.SCHEDULE, interval_minutes=interval_minutes
    )
    shares = list(RoundShare.objects.open().filter(round__in=rounds, account__in=account_ids))
    if not shares:
        return {}
    members, done = _members(shares, interval_minutes), _done(shares)
    busy: dict[UUID, set[UUID]] = defaultdict(set)
    for share in shares:
        left_out = {UUID(pk) for pk in share.left_out}
        busy[share.account_id] |= members[share.account_id] - left_out - done[share.round_id]
    return {account_id: frozenset(llm_ids) for account_id, llm_ids in busy.items() if llm_ids}


def _members(shares: list[RoundShare], interval_minutes: int | None) -> dict[UUID, set[UUID]]:
    rows = LLM.objects.monitored().filter(
        account__in={share.account_id for share in shares},
        monitoring_interval_minutes=interval_minutes,
    )
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for account_id, llm_id in rows.order_by().values_list("account", "pk"):
        found[account_id].add(llm_id)
    return found


def _done(shares: list[RoundShare]) -> dict[UUID, set[UUID]]:
    rows = UptimeCheck.objects.filter(
        round__in={share.round_id for share in shares},
        llm__account__in={share.account_id for share in shares},
    )
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for round_id, llm_id in rows.order_by().values_list("round", "llm"):
        found[round_id].add(llm_id)
    return found


def note_skipped_slot(interval_minutes: int | None) -> None:
    """Not one LLM was free: the round that holds them says so."""
    rounds = Round.objects.open().filter(
        trigger=Round.Trigger.SCHEDULE, interval_minutes=interval_minutes
    )
    running = rounds.order_by("-created_at").first()
    if running is not None:
        Round.objects.filter(pk=running.pk).update(skipped_slots=F("skipped_slots") + 1)
        log.warning("A slot is left out: %s still probes every model.", running.pk)
