"""One share in the hands of this process: what is to be asked, what came of it, what is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from django.utils import timezone

from models_app.models import LLM
from models_app.packs import pack_of
from models_app.probe import Target
from models_app.prompts import PROMPT_PACKS
from monitoring.models import MonitoringConfig, ReportedModel, Round, RoundShare, UptimeCheck
from monitoring.permits import Limits, Permits
from monitoring.probing import SLOW_FAILURES, Plan, Probed, Probing, Subject, Timing, attempt_of
from monitoring.status import LatencyLimits, classify
from providers.adapters import Endpoint
from providers.errors import ErrorClass, ExchangeFailed, Failure
from providers.loop import engine_loop
from providers.measurement import Outcome, now_ns, wall_clock
from providers.secrets import Undecryptable

# Failures are looked at once more for at least this long, however short the interval.
SHORTEST_CONFIRMING = timedelta(minutes=5)
SUSPECT_FOR_INTERVALS = 3
SPREAD_OF_INTERVAL = 0.25
# Whoever has had no turn until then is left to the next round, and that round must know it.
ASKED_WITHIN = 0.95


@lru_cache(maxsize=1)
def permits() -> Permits:
    return Permits()


@dataclass(slots=True, eq=False)
class Work:
    """A claimed share. `probing` is None when its account allows no request at all."""

    share: RoundShare
    llms: dict[UUID, LLM]
    waiting: list[Probed] = field(default_factory=list)
    without_result: list[UUID] = field(default_factory=list)
    reported: dict[UUID, ReportedModel] = field(default_factory=dict)
    probing: Probing | None = None
    future: Future[None] | None = None
    is_over: bool = False

    @property
    def has_news(self) -> bool:
        return bool(self.waiting or self.without_result) or self.is_over

    @property
    def is_complete(self) -> bool:
        """All probes have come to their end, none of them was torn off."""
        if not self.is_over:
            return False
        try:
            return self.future is None or self.future.exception(0) is None
        except CancelledError:
            return False

    def stop(self) -> None:
        if self.future is not None:
            self.future.cancel()

    def still_wanted(self, wanted: frozenset[UUID]) -> None:
        if self.probing is not None:
            self.probing.wanted = wanted


def begin(
    share: RoundShare, report: Callable[[Work, Probed | UUID], None], end: Callable[[Work], None]
) -> Work:
    """Starts the probes of the share's LLMs that have no check in this round yet."""
    llms = _missing(share)
    work = Work(share, {llm.pk: llm for llm in llms})
    try:
        endpoint = share.account.endpoint
    except (Undecryptable, ExchangeFailed) as exc:
        work.waiting.extend(_unusable(llms, exc))
        end(work)
        return work
    current = ReportedModel.objects.filter(llm__in=work.llms, is_current=True)
    work.reported = {row.llm_id: row for row in current}
    engine = engine_loop()
    plan = _plan(share, MonitoringConfig.load())
    subjects = _subjects(llms, endpoint, share)
    work.probing = Probing(
        subjects, plan, engine.clients, permits(), lambda probed: report(work, probed)
    )
    work.future = engine.submit(work.probing.run())
    work.future.add_done_callback(lambda _: end(work))
    return work


def _missing(share: RoundShare) -> list[LLM]:
    llms = share.round.members(share.account.llms.monitored())
    found = list(llms.exclude(checks__round=share.round_id).exclude(pk__in=share.left_out))
    for llm in found:
        llm.account = share.account
    return found


def _unusable(llms: Sequence[LLM], exc: Undecryptable | ExchangeFailed) -> list[Probed]:
    """The account's settings allow no request at all: each LLM says so, and nobody is asked."""
    sentence = exc.failure.message if isinstance(exc, ExchangeFailed) else str(exc)
    outcome = Outcome(wall_clock(), failure=Failure(ErrorClass.BAD_REQUEST, sentence))
    result = classify([attempt_of(outcome)])
    return [Probed(llm.pk, (outcome,), result) for llm in llms]


def _subjects(llms: Sequence[LLM], endpoint: Endpoint, share: RoundShare) -> list[Subject]:
    config = MonitoringConfig.load()
    of_pack = config.canaries.get(share.round.prompt_pack)
    suspects = _suspects(share, share.round.interval_within(config.interval))
    subjects = [
        Subject(
            Target(llm.pk, llm.account_id, llm.name, llm.upstream_id, endpoint),
            LatencyLimits(llm.ttft_limit_ms, llm.latency_limit_ms),
            llm.expected_text or of_pack,
            llm.pk in suspects,
        )
        for llm in llms
    ]
    # Whoever is likely to hold a place for long comes after the others.
    return sorted(subjects, key=lambda subject: subject.is_suspect)


def _suspects(share: RoundShare, interval: timedelta) -> frozenset[UUID]:
    """LLMs of the account that have kept us waiting lately."""
    since = timezone.now() - max(SUSPECT_FOR_INTERVALS * interval, SHORTEST_CONFIRMING)
    slow = UptimeCheck.objects.filter(
        llm__account=share.account_id,
        error_class__in=[failure.value for failure in SLOW_FAILURES],
        created_at__gte=since,
    )
    return frozenset(slow.order_by().values_list("llm", flat=True).distinct())


def _plan(share: RoundShare, config: MonitoringConfig) -> Plan:
    round = share.round
    return Plan(
        pack=pack_of(round.prompt_pack) or PROMPT_PACKS["health_check"],
        max_tokens=round.max_tokens,
        limits=Limits(
            everywhere=config.global_concurrency,
            account=share.account.concurrency_limit or config.provider_concurrency,
            llm=config.llm_concurrency,
            is_strict=share.account.concurrency_limit is not None,
        ),
        confirmation=config.confirmation,
        timing=_timing(round, config, timezone.now()),
    )


def _timing(round: Round, config: MonitoringConfig, now: datetime) -> Timing:
    """A round asked for by hand starts at once and takes the time it needs."""
    interval = round.interval_within(config.interval)
    # Bounded, because a clock that was set meanwhile would make the age absurd.
    age = min(max(now - round.created_at, timedelta(0)), interval)
    opened_ns = now_ns() - _ns(age)
    if round.trigger == Round.Trigger.MANUAL:
        return Timing(now_ns())
    spread_s = min(config.jitter_s, interval.total_seconds() * SPREAD_OF_INTERVAL)
    return Timing(
        from_ns=opened_ns,
        spread_s=spread_s,
        first_until_ns=opened_ns + _ns(interval * ASKED_WITHIN),
        confirm_until_ns=opened_ns + _ns(max(interval, SHORTEST_CONFIRMING)),
    )


def _ns(span: timedelta) -> int:
    return round(span.total_seconds() * 1e9)
