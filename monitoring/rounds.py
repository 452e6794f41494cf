"""Rounds: opened by the schedule or by hand, ended with their last share."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Hashable
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F

from models_app.models import LLM
from monitoring.models import MonitoringConfig, Round, RoundShare, UptimeCheck
from monitoring.signals import round_recorded
from monitoring.status import NO_NETWORK, CheckResult, CheckStatus, self_offline
from providers.errors import ErrorClass
from providers.models import ProviderAccount
from providers.secrets import Undecryptable

log = logging.getLogger(__name__)


def open_due(now: datetime) -> Round | None:
    """The scheduled round, if one is due and no other tick has taken it."""
    config = MonitoringConfig.load()
    slot = config.slot_due(now)
    if slot is None:
        return None
    with transaction.atomic():
        if not config.claim_slot(slot) or _is_taken(slot):
            return None
        return _open(config, Round.Trigger.SCHEDULE, slot)


def _is_taken(slot: datetime) -> bool:
    """Whether the slot has had its round, or a round that still runs stands in its way."""
    running = Round.objects.open().first()
    if running is None:
        return Round.objects.filter(trigger=Round.Trigger.SCHEDULE, due_at=slot).exists()
    Round.objects.filter(pk=running.pk).update(skipped_slots=F("skipped_slots") + 1)
    log.warning("The round due at %s is left out: %s still runs.", slot.isoformat(), running.pk)
    return True


def open_manual(now: datetime) -> tuple[Round, bool]:
    """The round asked for by hand, and whether it is new: an unfinished one is not doubled."""
    config = MonitoringConfig.load()
    with transaction.atomic():
        # The row is the door to all rounds: whoever opens one holds it.
        config = MonitoringConfig.objects.select_for_update().get(pk=config.pk)
        running = Round.objects.open().filter(trigger=Round.Trigger.MANUAL).first()
        if running is not None:
            return running, False
        opened = _open(config, Round.Trigger.MANUAL, now)
        assert opened is not None
    if not opened.planned:
        finish(opened, now)
    return opened, True


def describe(opened: Round, is_new: bool) -> str:
    models = "1 model" if opened.planned == 1 else f"{opened.planned} models"
    if not is_new:
        return f"A run over {models} is still under way; this is that one."
    if not opened.planned:
        return "No model is enabled for monitoring, so there is nothing to check."
    return f"A run over {models} is queued."


def _open(config: MonitoringConfig, trigger: Round.Trigger, due_at: datetime) -> Round | None:
    monitored = LLM.objects.monitored().order_by().values_list("account")
    sizes: dict[UUID, int] = dict(monitored.annotate(size=Count("pk")))
    if not sizes and trigger == Round.Trigger.SCHEDULE:
        return None
    opened = Round.objects.create(
        trigger=trigger,
        prompt_pack=config.prompt_pack,
        max_tokens=config.max_tokens,
        planned=sum(sizes.values()),
        due_at=due_at,
    )
    RoundShare.objects.bulk_create(
        RoundShare(round=opened, account_id=account_id) for account_id in sizes
    )
    return opened


def finish(round: Round, now: datetime) -> bool:
    """Ends the round if its last share is done and nobody else has ended it."""
    with transaction.atomic():
        if not round.finish(now):
            return False
        _mark_self_offline(round)
        MonitoringConfig.objects.update(last_run_at=now)
        transaction.on_commit(lambda: _announce(round))
    return True


def finish_left_over(now: datetime) -> None:
    """Ends rounds whose last worker died between its share and the round."""
    for round in Round.objects.finished_but_open():
        finish(round, now)


def _announce(round: Round) -> None:
    # Robust: what a receiver breaks is logged by Django and stays the receiver's trouble.
    round_recorded.send_robust(sender=Round, round=round)


def _mark_self_offline(round: Round) -> None:
    if not self_offline(_results_by_provider(round)):
        return
    log.warning("Round %s: nothing could be reached, so the monitor itself is offline.", round.pk)
    Round.objects.filter(pk=round.pk).update(self_offline=True)
    round.self_offline = True
    unreached = UptimeCheck.objects.filter(round=round, error_class__in=NO_NETWORK)
    unreached.update(counts_for_uptime=False)


def _results_by_provider(round: Round) -> dict[Hashable, list[CheckResult]]:
    seen = (
        UptimeCheck.objects.filter(round=round)
        .order_by()
        .values_list("llm__account", "status", "error_class")
        .distinct()
    )
    accounts = ProviderAccount.objects.in_bulk({account_id for account_id, _, _ in seen})
    results: dict[Hashable, list[CheckResult]] = defaultdict(list)
    for account_id, status, error_class in seen:
        failure = ErrorClass(error_class) if error_class else None
        result = CheckResult(CheckStatus(status), failure, True, None, None)
        results[place_of(accounts[account_id])].append(result)
    return results


def place_of(account: ProviderAccount) -> str:
    """What fails together: accounts at one host are one provider."""
    try:
        address = account.base_url
    except Undecryptable:
        return str(account.pk)
    return (urlsplit(address).hostname if address else None) or account.provider_type
