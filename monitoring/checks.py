"""From the attempts of a check to its row."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from models_app.models import LLM
from models_app.prices import DEAREST_USD, cost_of
from models_app.probe import row_values
from monitoring.models import Round, UptimeCheck
from monitoring.probing import Probed
from providers.errors import ErrorClass
from providers.measurement import Outcome

TOLD_OF_ATTEMPT = ("ttft_ms", "total_latency_ms")
PAID = ("input_tokens", "output_tokens", "cached_tokens")


def check_of(round: Round, llm: LLM, probed: Probed) -> UptimeCheck:
    """The row, not yet saved. Its figures are those of the deciding attempt alone; its cost is that
    of all attempts.
    """
    last, result = probed.outcomes[-1], probed.result
    values = row_values(llm, last.with_flags(*_flags(probed)))
    values["estimated_cost"] = _cost(llm, probed.outcomes)
    values["error"] = result.error
    values["error_class"] = result.error_class.value if result.error_class else None
    return UptimeCheck(
        round=round,
        llm=llm,
        status=result.status.value,
        counts_for_uptime=result.counts_for_provider_uptime,
        attempts=[_told(outcome) for outcome in probed.outcomes],
        prompt_pack=round.prompt_pack,
        created_at=last.started_at,
        **values,
    )


def _cost(llm: LLM, outcomes: Sequence[Outcome]) -> Decimal | None:
    """What the attempts cost as far as that is known: one that failed has no figures to show, but
    its tokens are paid for.
    """
    seen = [outcome.measurement for outcome in outcomes if outcome.measurement is not None]
    costs = [cost_of(llm, {name: getattr(one, name) for name in PAID}) for one in seen]
    known = [usd for usd in costs if usd is not None]
    total = sum(known, Decimal(0))
    return total if known and total < DEAREST_USD else None


def _flags(probed: Probed) -> list[str]:
    flags = ["retried"] if len(probed.outcomes) > 1 else []
    classes = {outcome.failure.error_class for outcome in probed.outcomes if outcome.failure}
    return [*flags, "rate_limited"] if ErrorClass.RATE_LIMITED in classes else flags


def _told(outcome: Outcome) -> dict[str, Any]:
    failure, figures = outcome.failure, outcome.figures()
    return {
        "ok": outcome.ok,
        "at": outcome.started_at.isoformat(),
        "error_class": failure.error_class.value if failure else None,
        "error": failure.message if failure else None,
        **{name: figures[name] for name in TOLD_OF_ATTEMPT},
    }
