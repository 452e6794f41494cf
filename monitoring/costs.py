"""What probing costs: per probe, per day, and so far this month."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from django.db.models import Max, Q, Sum

from arguslm.api.ids import oldest_id
from models_app.models import LLM
from models_app.packs import pack_of
from models_app.prices import cost_of
from models_app.prompts import PROMPT_PACKS, PromptPack
from monitoring.hours import DAY, day_of
from monitoring.models import CheckRollup, MonitoringConfig, Round, Spending
from monitoring.tails import Tail, steadily
from providers.models import ProviderAccount
from providers.tokens import estimate_tokens

MEASURED_OVER = timedelta(days=7)
DAY_MINUTES = 24 * 60
DAYS_A_MONTH = 30
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ProbeCost:
    """USD for one probe; None when a price is unknown. `is_measured`: the mean of real probes."""

    llm: LLM
    usd: Decimal | None
    is_measured: bool
    probes_per_day: float

    @property
    def usd_per_day(self) -> Decimal | None:
        return None if self.usd is None else self.usd * Decimal(repr(self.probes_per_day))


@dataclass(frozen=True, slots=True)
class Asking:
    """How LLMs are asked, or would be."""

    pack: PromptPack
    max_tokens: int
    interval_minutes: int

    @classmethod
    def configured(cls, config: MonitoringConfig) -> Asking:
        pack = pack_of(config.prompt_pack) or PROMPT_PACKS["health_check"]
        return cls(pack, config.max_tokens, config.interval_minutes)


def month_of(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def spent_this_month(now: datetime) -> Decimal:
    """USD of all probes of the calendar month (UTC) whose price is known."""
    month = month_of(now)

    def read(tail: Tail) -> Decimal:
        booked = Spending.objects.filter(month=month.date()).values_list("usd", flat=True).first()
        recent = tail.checks().filter(created_at__gte=month).aggregate(usd=Sum("estimated_cost"))
        return (booked or ZERO) + (recent["usd"] or ZERO)

    return steadily(read)


def probe_costs(
    llms: Iterable[LLM], asking: Asking, now: datetime, *, measured: bool
) -> list[ProbeCost]:
    """`measured`: the mean of real probes that were asked in this way goes before the list."""
    found = list(llms)
    means = _means({llm.pk for llm in found}, _asked_so_since(asking, now)) if measured else {}
    return [
        ProbeCost(
            llm=llm,
            usd=means[llm.pk] if llm.pk in means else _listed(llm, asking),
            is_measured=llm.pk in means,
            probes_per_day=DAY_MINUTES
            / (llm.monitoring_interval_minutes or asking.interval_minutes),
        )
        for llm in found
    ]


def total(costs: Iterable[Decimal | None]) -> Decimal:
    return sum((usd for usd in costs if usd is not None), ZERO)


def _asked_so_since(asking: Asking, now: datetime) -> datetime:
    """The begin of the last days in which nobody was asked in another way."""
    since = now - MEASURED_OVER
    recent = Round.objects.filter(pk__gte=oldest_id(since), created_at__gte=since).order_by()
    so = Q(prompt_pack=asking.pack.id, max_tokens=asking.max_tokens)
    last: datetime | None = recent.exclude(so).aggregate(at=Max("created_at"))["at"]
    return since if last is None else day_of(last) + DAY


def _means(llm_ids: Collection[UUID], since: datetime) -> dict[UUID, Decimal]:
    rows = CheckRollup.objects.daily().between(since, None)
    sums = (
        rows.filter(llm__in=llm_ids, priced__gt=0)
        .order_by()
        .values_list("llm")
        .annotate(usd=Sum("cost"), probes=Sum("priced"))
    )
    return {llm_id: Decimal(usd) / probes for llm_id, usd, probes in sums}


def _listed(llm: LLM, asking: Asking) -> Decimal | None:
    own = llm.metadata or {}
    return _priced(
        llm.account.provider_type,
        llm.upstream_id,
        tuple(sorted((k, str(v)) for k, v in own.items() if k.endswith("_price_per_1m"))),
        estimate_tokens(asking.pack.prompt),
        min(asking.max_tokens, asking.pack.expected_tokens),
    )


@lru_cache(maxsize=20_000)
def _priced(
    provider_type: str,
    upstream_id: str,
    own_prices: tuple[tuple[str, str], ...],
    input_tokens: int,
    output_tokens: int,
) -> Decimal | None:
    llm = LLM(
        account=ProviderAccount(provider_type=provider_type),
        upstream_id=upstream_id,
        metadata=dict(own_prices),
    )
    figures = {"input_tokens": input_tokens, "output_tokens": output_tokens, "cached_tokens": 0}
    return cost_of(llm, figures)
