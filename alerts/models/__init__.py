from __future__ import annotations

from alerts.models.alerts import (
    Alert,
    AlertEvent,
    AlertQuerySet,
    AlertRule,
    PerformanceBaseline,
    RoundEvaluation,
)
from alerts.models.channels import AlertSettings, Channel, Silence
from alerts.models.outbox import Attempt, Delivery, DeliveryQuerySet, Message

__all__ = [
    "Alert",
    "AlertEvent",
    "AlertQuerySet",
    "AlertRule",
    "AlertSettings",
    "Attempt",
    "Channel",
    "Delivery",
    "DeliveryQuerySet",
    "Message",
    "PerformanceBaseline",
    "RoundEvaluation",
    "Silence",
]
