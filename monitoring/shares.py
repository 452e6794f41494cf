"""One worker's work on one share of a round: claim, probe, write under the lease, hand back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from datetime import datetime
from functools import lru_cache
from queue import Empty, SimpleQueue
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from arguslm.api.leases import LeaseLost
from models_app.models import LLM
from models_app.packs import pack_of
from models_app.probe import Target
from models_app.prompts import PROMPT_PACKS
from monitoring import rounds
from monitoring.models import MonitoringConfig, RoundShare
from monitoring.probing import Permits, Plan, Probed, Probing, attempt_of
from monitoring.status import DEFAULT_CONFIRMATION, classify
from monitoring.writer import FLUSH_S, Writer
from providers.adapters import Endpoint
from providers.errors import ErrorClass, ExchangeFailed, Failure
from providers.loop import engine_loop
from providers.measurement import Outcome, wall_clock
from providers.models import ProviderAccount
from providers.secrets import Undecryptable

log = logging.getLogger(__name__)
MAX_CRASHES = 4
NUDGES_PER_TICK = 500
# Set when this worker is told to end: shares are handed back instead of being worked off.
leaving = threading.Event()


@lru_cache(maxsize=1)
def permits() -> Permits:
    return Permits()


def call_out(now: datetime) -> list[UUID]:
    """Shares that nobody works on: calling them again makes a lost message cost only seconds."""
    oldest_first = F("nudged_at").asc(nulls_first=True)
    waiting = RoundShare.objects.waiting(now).order_by(oldest_first, "id")[:NUDGES_PER_TICK]
    called = [share.pk for share in waiting if share.wants_nudge(now)]
    if called:
        RoundShare.objects.filter(pk__in=called).update(nudged_at=now)
    return called


def work_on(share_id: UUID) -> None:
    """Probes the LLMs of the share that have no check in this round yet."""
    share = RoundShare.claim(share_id)
    if share is None:
        return
    share.round.start(timezone.now())
    try:
        if share.crashes > MAX_CRASHES:
            log.error("Share %s has ended its worker %d times: given up.", share.pk, share.crashes)
        elif not _probe_rest(share):
            share.release()
            return
        share.own(status=RoundShare.Status.COMPLETED, lease_expires_at=None)
    except LeaseLost:
        log.warning("Share %s went to another worker, this one stops.", share.pk)
        return
    rounds.finish(share.round, timezone.now())


def _probe_rest(share: RoundShare) -> bool:
    """True when nothing is left to probe, False when the share must be handed back."""
    account = share.account
    llms = list(account.llms.monitored().exclude(checks__round=share.round_id))
    for llm in llms:
        llm.account = account
    writer = Writer(share, llms)
    try:
        endpoint = account.endpoint
    except (Undecryptable, ExchangeFailed) as exc:
        writer.extend(_unusable(llms, exc))
        writer.write()
        return True
    return _probe(account, endpoint, llms, writer)


def _unusable(llms: Sequence[LLM], exc: Undecryptable | ExchangeFailed) -> list[Probed]:
    """The account's settings allow no request at all: each LLM says so, and nobody is asked."""
    sentence = exc.failure.message if isinstance(exc, ExchangeFailed) else str(exc)
    outcome = Outcome(wall_clock(), failure=Failure(ErrorClass.BAD_REQUEST, sentence))
    result = classify([attempt_of(outcome)])
    return [Probed(llm.pk, (outcome,), result) for llm in llms]


def _probe(
    account: ProviderAccount, endpoint: Endpoint, llms: Sequence[LLM], writer: Writer
) -> bool:
    engine = engine_loop()
    results: SimpleQueue[Probed | None] = SimpleQueue()
    targets = [Target(llm.pk, account.pk, llm.name, llm.upstream_id, endpoint) for llm in llms]
    plan = _plan(writer.share, account)
    probing = Probing(targets, plan, engine.clients, permits(), results.put)
    future = engine.submit(probing.run())
    future.add_done_callback(lambda _: results.put(None))
    try:
        return _collect(results, writer, probing) and _has_ended_well(future)
    finally:
        future.cancel()


def _plan(share: RoundShare, account: ProviderAccount) -> Plan:
    config = MonitoringConfig.load()
    return Plan(
        # A pack that was deleted while the round waited: any question still tells who answers.
        pack=pack_of(share.round.prompt_pack) or PROMPT_PACKS["health_check"],
        max_tokens=share.round.max_tokens,
        account_limit=account.concurrency_limit or config.provider_concurrency,
        global_limit=config.global_concurrency,
        confirmation=DEFAULT_CONFIRMATION,
    )


def _collect(results: SimpleQueue[Probed | None], writer: Writer, probing: Probing) -> bool:
    """Writes results as they come until the probes are over; False when this worker leaves."""
    while not leaving.is_set():
        try:
            probed = results.get(timeout=FLUSH_S)
        except Empty:
            probed = None
            is_over = False
        else:
            is_over = probed is None
        if probed is not None:
            writer.extend([probed])
        if is_over:
            writer.write_last()
            return True
        if writer.is_due():
            writer.write()
            probing.wanted = writer.wanted
    writer.write()
    return False


def _has_ended_well(future: Future[None]) -> bool:
    try:
        future.result()
    except CancelledError:
        return False
    return True
