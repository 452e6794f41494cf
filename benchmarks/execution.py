"""One worker's work on one run: probes on the engine loop, rows from this thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from queue import Empty, SimpleQueue
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from arguslm.api.leases import HEARTBEAT_S, LeaseLost
from benchmarks.announcements import announce
from benchmarks.engine import MAX_IN_FLIGHT, Finished, Load
from benchmarks.facts import facts_of
from benchmarks.models import MAX_CRASHES, BenchmarkResult, BenchmarkRun
from benchmarks.probing import WARM_UP, Probing, Work
from benchmarks.tokens import estimate_of
from models_app.models import LLM
from models_app.packs import pack_of
from models_app.probe import Target, learn, row_values, target_of
from models_app.prompts import PromptPack
from providers.errors import ExchangeFailed
from providers.loop import engine_loop
from providers.measurement import Outcome
from providers.secrets import Undecryptable

log = logging.getLogger(__name__)

LOOK_S = 0.25
ANNOUNCE_S = 0.1
GATHER_S = 0.1
OWNER_S = 0.5

# Set when this worker is asked to stop: its runs are handed back, which is no crash.
draining = threading.Event()


class CannotRun(Exception):
    """The run can not go on; the text is its failure reason."""


def execute(run: BenchmarkRun) -> None:
    """Carries a claimed run to its end, writing only while this worker owns it."""
    try:
        _carry(run)
    except LeaseLost:
        log.info("Benchmark %s is no longer ours: it was cancelled or taken over.", run.pk)


def _carry(run: BenchmarkRun) -> None:
    # A resumed run keeps those of its beginning.
    run.facts = run.facts or facts_of(run.llms.select_related("account"))
    run.start()
    try:
        if run.crashes >= MAX_CRASHES:
            raise CannotRun(f"Its worker died {run.crashes} times.")
        announce(run.pk)
        Execution(run).carry_on()
    except CannotRun as exc:
        run.fail(str(exc))


class Execution:
    def __init__(self, run: BenchmarkRun) -> None:
        self.run = run
        self.llms = {t.llm_id: t.llm for t in run.targets.select_related("llm__account")}
        self.work = _work_of(run, list(self.llms.values()))
        self.ordinal = run.results.count()
        self.finished: SimpleQueue[Finished[Outcome]] = SimpleQueue()
        self._beat_at = self._owned_at = self._told_at = time.monotonic()
        self._is_told = True

    def carry_on(self) -> None:
        probing = Probing(self.work, engine_loop().clients, self.finished.put)
        future = engine_loop().submit(probing.run(self.run.remaining()))
        try:
            self._keep(future)
        finally:
            future.cancel()

    def _keep(self, probing: Future[None]) -> None:
        while True:
            is_last = probing.done()
            self._save(self._arrived(0 if is_last else self._patience()))
            if is_last:
                break
            if draining.is_set():
                self.run.release()
                return
            self._stay_owner()
            self._stay_in_time()
        probing.result()
        self.run.complete()

    def _patience(self) -> float:
        return LOOK_S if self._is_told else ANNOUNCE_S

    def _arrived(self, timeout_s: float) -> list[Finished[Outcome]]:
        """What has ended since the last look; waits up to `timeout_s` for the first.

        What comes right behind it is written with it: each write takes the processor from
        streams that are being stamped.
        """
        found: list[Finished[Outcome]] = []
        try:
            found.append(self.finished.get(timeout=timeout_s or None, block=timeout_s > 0))
            time.sleep(GATHER_S if timeout_s else 0)
            while True:
                found.append(self.finished.get_nowait())
        except Empty:
            return found

    def _save(self, arrived: Sequence[Finished[Outcome]]) -> None:
        results = [done for done in arrived if done.step.iteration != WARM_UP]
        if results:
            rows = [self._row(done, place) for place, done in enumerate(results, start=1)]
            with transaction.atomic():
                self._heartbeat()
                BenchmarkResult.objects.bulk_create(rows)
            self.ordinal += len(rows)
            self._is_told = False
        for done in arrived:
            learn(self.llms[done.step.llm_id], done.outcome)
        if not self._is_told and time.monotonic() - self._told_at >= ANNOUNCE_S:
            self._told_at, self._is_told = time.monotonic(), True
            announce(self.run.pk)

    def _row(self, done: Finished[Outcome], place: int) -> BenchmarkResult:
        llm = self.llms[done.step.llm_id]
        return BenchmarkResult(
            run=self.run,
            llm=llm,
            iteration=done.step.iteration,
            ordinal=self.ordinal + place,
            started_at=done.outcome.started_at,
            answer_estimate=estimate_of(done.outcome),
            created_at=timezone.now(),
            **row_values(llm, done.outcome),
        )

    def _stay_owner(self) -> None:
        now = time.monotonic()
        if now - self._beat_at >= HEARTBEAT_S:
            self._heartbeat()
        elif now - self._owned_at >= OWNER_S:
            # A read: a cancellation is noticed well before the next heartbeat, without a write.
            if not self.run.is_mine():
                raise LeaseLost(f"BenchmarkRun {self.run.pk}")
            self._owned_at = now

    def _stay_in_time(self) -> None:
        limit_s, began = self.run.run_time_limit_s, self.run.started_at
        if limit_s is None or began is None:
            return
        if timezone.now() - began > timedelta(seconds=limit_s):
            raise CannotRun(
                f"Its time limit of {limit_s} s was reached after {self.ordinal} of "
                f"{self.run.total} requests."
            )

    def _heartbeat(self) -> None:
        self.run.heartbeat()
        self._beat_at = self._owned_at = time.monotonic()


def _work_of(run: BenchmarkRun, llms: Sequence[LLM]) -> Work:
    limits = {llm.account_id: llm.account.concurrency_limit for llm in llms}
    return Work(
        run.pk,
        _pack_of(run),
        run.max_tokens,
        targets={llm.pk: _target_of(llm) for llm in llms},
        limits={account_id: limit for account_id, limit in limits.items() if limit},
        load=run.open_loop
        or Load(run.concurrency_per_llm, MAX_IN_FLIGHT * run.concurrency_per_llm),
        cache_busting=run.cache_busting,
        model_time_limit_s=run.model_time_limit_s,
        spent_s=_spent(run),
    )


def _spent(run: BenchmarkRun) -> dict[UUID, float]:
    """Seconds that the requests to each LLM have taken, for a run that is resumed."""
    took = Sum(F("created_at") - F("started_at"))
    rows = run.results.order_by().values("llm").annotate(took=took).values_list("llm", "took")
    return {llm_id: took.total_seconds() for llm_id, took in rows if took is not None}


def _pack_of(run: BenchmarkRun) -> PromptPack:
    if run.prompt:
        return PromptPack(run.prompt_pack, run.prompt_pack, run.prompt, run.max_tokens)
    pack = pack_of(run.prompt_pack)
    if pack is None:
        raise CannotRun(f"The prompt pack {run.prompt_pack!r} is not known here.")
    return pack


def _target_of(llm: LLM) -> Target:
    try:
        return target_of(llm)
    except (Undecryptable, ExchangeFailed) as exc:
        raise CannotRun(f"{llm.account.display_name}: {exc}") from exc
