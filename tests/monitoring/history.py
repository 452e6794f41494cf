"""Histories of checks for tests: rounds that are over, with their checks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from models_app.models import LLM
from monitoring.models import Round, UptimeCheck
from tests.make import make_round

STATUSES = ("up", "up", "up", "degraded", "down")


def make_past_round(llms: Sequence[LLM], at: datetime, **fields: object) -> Round:
    """A round over all of `llms` at that time; figures vary but are the same in every test run."""
    past = make_round(due_at=at)
    Round.objects.filter(pk=past.pk).update(created_at=at)
    dice = random.Random(at.timestamp())
    UptimeCheck.objects.bulk_create(_check(past, llm, at, dice, fields) for llm in llms)
    return past


def _check(
    past: Round, llm: LLM, at: datetime, dice: random.Random, fields: dict[str, object]
) -> UptimeCheck:
    status = dice.choice(STATUSES)
    figures: dict[str, object] = {}
    if status != "down":
        figures = {
            "ttft_ms": dice.lognormvariate(6, 0.5),
            "total_latency_ms": dice.lognormvariate(7, 0.5),
            "tps": dice.uniform(10, 90),
            "estimated_cost": Decimal("0.001"),
        }
    values = {"status": status, **figures, **fields}
    values["counts_for_uptime"] = values["status"] != "down" or dice.random() < 0.5
    seconds = timedelta(seconds=dice.uniform(0, 50))
    return UptimeCheck(
        round=past, llm=llm, prompt_pack="health_check", created_at=at + seconds, **values
    )


def make_history(llms: Sequence[LLM], start: datetime, rounds: int, step: timedelta) -> None:
    for number in range(rounds):
        make_past_round(llms, start + number * step)
