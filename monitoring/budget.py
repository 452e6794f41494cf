"""The monthly cap: probing pauses before it costs more, and goes on when there is money again."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal

from models_app.models import LLM
from monitoring import costs
from monitoring.models import MonitoringConfig, Round

log = logging.getLogger(__name__)


class BudgetExhausted(Exception):
    """The monthly cap leaves nothing for another round."""


def allows(config: MonitoringConfig, round: Round, now: datetime) -> bool:
    """Whether the round fits under the cap, together with what is still being probed."""
    cap = config.monthly_cap_usd
    if cap is None:
        _resume(config)
        return True
    spent = costs.spent_this_month(now)
    expected = sum((_left(config, each, now) for each in (*Round.objects.open(), round)), spent)
    fits = spent < cap and expected <= cap
    if fits:
        _resume(config)
    else:
        _pause(config, spent, now)
    return fits


def is_spent(now: datetime) -> bool:
    """Whether the cap is reached: then the rounds under way ask nobody else either."""
    config = MonitoringConfig.load()
    if config.monthly_cap_usd is None:
        return False
    spent = costs.spent_this_month(now)
    if spent < config.monthly_cap_usd:
        return False
    _pause(config, spent, now)
    return True


def _left(config: MonitoringConfig, round: Round, now: datetime) -> Decimal:
    """What the probes that the round has still to make are expected to cost."""
    llms = round.members(LLM.objects.monitored().select_related("account"))
    asking = costs.Asking.configured(config)
    missing = llms.exclude(checks__round=round.pk)
    return costs.total(cost.usd for cost in costs.probe_costs(missing, asking, now, measured=True))


def _pause(config: MonitoringConfig, spent: Decimal, now: datetime) -> None:
    rows = MonitoringConfig.objects.filter(pk=config.pk, budget_paused_at=None)
    if rows.update(budget_paused_at=now):
        config.budget_paused_at = now
        log.warning("Probing pauses: %.4f USD of %s are spent.", spent, config.monthly_cap_usd)


def _resume(config: MonitoringConfig) -> None:
    if config.budget_paused_at is None:
        return
    rows = MonitoringConfig.objects.filter(pk=config.pk, budget_paused_at__isnull=False)
    if rows.update(budget_paused_at=None):
        config.budget_paused_at = None
        log.warning("Probing goes on: the monthly cap leaves room again.")
