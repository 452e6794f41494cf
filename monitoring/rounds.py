"""Rounds: opened by the schedule or by hand, ended with their last share."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Hashable
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from models_app.models import LLM
from monitoring import budget, overlaps
from monitoring.budget import BudgetExhausted
from monitoring.models import Cadence, MonitoringConfig, Round, RoundShare, UptimeCheck
from monitoring.models.schedules import Scheduled
from monitoring.signals import round_recorded
from monitoring.status import NO_NETWORK, CheckResult, CheckStatus, self_offline
from providers.errors import ErrorClass
from providers.models import ProviderAccount
from providers.secrets import Undecryptable

log = logging.getLogger(__name__)


def open_due(now: datetime) -> list[Round]:
    """The scheduled rounds that are due and that no other tick has taken."""
    config = MonitoringConfig.load()
    if not config.enabled:
        return []
    opened = [_open_slot(schedule, config, now) for schedule in (config, *_cadences())]
    return [round for round in opened if round is not None]


def _cadences() -> list[Cadence]:
    """The schedules of LLMs with an interval of their own; missing ones are made."""
    watched = LLM.objects.monitored().filter(monitoring_interval_minutes__isnull=False).order_by()
    own = watched.values_list("monitoring_interval_minutes", flat=True).distinct()
    minutes = {interval for interval in own if interval is not None}
    if not minutes:
        return []
    known = {row.interval_minutes: row for row in Cadence.objects.all()}
    for missing in minutes - known.keys():
        known[missing] = Cadence.objects.get_or_create(interval_minutes=missing)[0]
    return [known[interval] for interval in sorted(minutes)]


def _open_slot(schedule: Scheduled, config: MonitoringConfig, now: datetime) -> Round | None:
    slot = schedule.slot_due(now)
    if slot is None:
        return None
    interval_minutes = schedule.interval_minutes if isinstance(schedule, Cadence) else None
    with transaction.atomic():
        config = _hold_the_door(config)
        if not config.enabled or not schedule.claim_slot(slot):
            return None
        if _had_its_round(slot, interval_minutes):
            return None
        return _open(config, Round.Trigger.SCHEDULE, slot, now, interval_minutes)


def _hold_the_door(config: MonitoringConfig) -> MonitoringConfig:
    """The row is the door to all rounds: whoever opens one holds it, so no two share a budget."""
    return MonitoringConfig.objects.select_for_update().get(pk=config.pk)


def _had_its_round(slot: datetime, interval_minutes: int | None) -> bool:
    rows = Round.objects.filter(trigger=Round.Trigger.SCHEDULE, due_at=slot)
    return rows.filter(interval_minutes=interval_minutes).exists()


def open_manual(now: datetime) -> tuple[Round, bool]:
    """The round asked for by hand, and whether it is new: an unfinished one is not doubled.

    Raises BudgetExhausted when the monthly cap leaves nothing for it.
    """
    config = MonitoringConfig.load()
    with transaction.atomic():
        config = _hold_the_door(config)
        running = Round.objects.open().filter(trigger=Round.Trigger.MANUAL).first()
        if running is not None:
            return running, False
        opened = _open(config, Round.Trigger.MANUAL, now, now)
    if opened is None:
        raise BudgetExhausted
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


def _open(
    config: MonitoringConfig,
    trigger: Round.Trigger,
    due_at: datetime,
    now: datetime,
    interval_minutes: int | None = None,
) -> Round | None:
    opened = Round(
        trigger=trigger,
        interval_minutes=interval_minutes,
        prompt_pack=config.prompt_pack,
        max_tokens=config.max_tokens,
        due_at=due_at,
    )
    monitored = opened.members(LLM.objects.monitored()).order_by().values_list("account")
    sizes: dict[UUID, int] = dict(monitored.annotate(size=Count("pk")))
    if trigger == Round.Trigger.SCHEDULE:
        if not sizes:
            return None
        busy = overlaps.busy_llms(sizes, interval_minutes)
    else:
        busy = {}
    if not budget.allows(config, opened, now):
        return None
    left = {pk: size - len(busy.get(pk, ())) for pk, size in sizes.items()}
    opened.planned = sum(left.values())
    opened.overlapping = sum(map(len, busy.values()))
    if sizes and not opened.planned:
        overlaps.note_skipped_slot(interval_minutes)
        return None
    opened.save()
    RoundShare.objects.bulk_create(
        RoundShare(round=opened, account_id=pk, left_out=[str(llm) for llm in busy.get(pk, ())])
        for pk, size in left.items()
        if size
    )
    return opened


def cancel(round: Round, now: datetime) -> bool:
    """Stops the round: what has been measured stays. False when it was over already."""
    with transaction.atomic():
        if not round.cancel(now):
            return False
        round.shares.cancel()
        _take_stock(round)
    return True


def finish(round: Round, now: datetime) -> bool:
    """Ends the round if its last share is done and nobody else has ended it."""
    with transaction.atomic():
        if not round.finish(now):
            return False
        _take_stock(round)
        MonitoringConfig.objects.update(last_run_at=now)
        transaction.on_commit(lambda: _announce(round))
    return True


def _take_stock(round: Round) -> None:
    """Of a round that gets no more checks."""
    round.keep_counts(UptimeCheck.objects.tally([round.pk])[round.pk])
    _mark_self_offline(round)


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
