from __future__ import annotations

from monitoring.models.checks import UptimeCheck, UptimeCheckQuerySet
from monitoring.models.config import (
    CONFIG_ID,
    MAX_CONCURRENCY,
    MAX_DAYS,
    MAX_INTERVAL_MINUTES,
    MAX_TOKENS,
    MonitoringConfig,
)
from monitoring.models.identities import ReportedModel
from monitoring.models.rollups import (
    CheckRollup,
    CheckRollupQuerySet,
    CheckTotal,
    Recount,
    Spending,
)
from monitoring.models.rounds import Round, RoundQuerySet
from monitoring.models.schedules import Cadence
from monitoring.models.shares import RoundShare, RoundShareQuerySet

__all__ = [
    "CONFIG_ID",
    "MAX_CONCURRENCY",
    "MAX_DAYS",
    "MAX_INTERVAL_MINUTES",
    "MAX_TOKENS",
    "Cadence",
    "CheckRollup",
    "CheckRollupQuerySet",
    "CheckTotal",
    "MonitoringConfig",
    "Recount",
    "ReportedModel",
    "Round",
    "RoundQuerySet",
    "RoundShare",
    "RoundShareQuerySet",
    "Spending",
    "UptimeCheck",
    "UptimeCheckQuerySet",
]
