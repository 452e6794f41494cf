"""The monthly cap: probing pauses before it costs more, and goes on when there is money again."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from models_app.models import LLM
from monitoring import costs
from monitoring.models import MonitoringConfig, Round
from monitoring.signals import budget_paused, budget_resumed

log = logging.getLogger(__name__)


class BudgetExhausted(Exception):
    """The monthly cap leaves nothing for another round."""


def allows(config: MonitoringConfig, round: Round, now: datetime) -> bool:
    """Whether the round fits under the cap, together with what is still being probed."""
    cap = config.monthly_cap_usd
    if cap is None:
        _resume(config, costs.ZERO)
        return True
    spent = costs.spent_this_month(now)
    under_way = 1 + Round.objects.open().count()
    fits = spent + under_way * _expected(config, round, now) <= cap and spent < cap
    if fits:
        _resume(config, spent)
    else:
        _pause(config, spent, now)
    return fits


def _expected(config: MonitoringConfig, round: Round, now: datetime) -> Decimal:
    llms = round.members(LLM.objects.monitored().select_related("account"))
    asking = costs.Asking.configured(config)
    return costs.total(cost.usd for cost in costs.probe_costs(llms, asking, now, measured=True))


def _pause(config: MonitoringConfig, spent: Decimal, now: datetime) -> None:
    rows = MonitoringConfig.objects.filter(pk=config.pk, budget_paused_at=None)
    if rows.update(budget_paused_at=now):
        config.budget_paused_at = now
        log.warning("Probing pauses: %.4f USD of %s are spent.", spent, config.monthly_cap_usd)
        transaction.on_commit(
            lambda: budget_paused.send_robust(
                sender=MonitoringConfig, config=config, spent_usd=spent
            )
        )


def _resume(config: MonitoringConfig, spent: Decimal) -> None:
    if config.budget_paused_at is None:
        return
    rows = MonitoringConfig.objects.filter(pk=config.pk, budget_paused_at__isnull=False)
    if rows.update(budget_paused_at=None):
        config.budget_paused_at = None
        log.warning("Probing goes on: the monthly cap leaves room again.")
        transaction.on_commit(
            lambda: budget_resumed.send_robust(
                sender=MonitoringConfig, config=config, spent_usd=spent
            )
        )
