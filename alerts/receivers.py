from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from alerts.tasks import evaluate_rounds
from arguslm.api.work import send
from monitoring.signals import round_recorded


@receiver(round_recorded, dispatch_uid="alerts.evaluate")
def evaluate_after_a_round(**kwargs: Any) -> None:
    send(evaluate_rounds)
