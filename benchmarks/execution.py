"""One worker's work on one run: probes on the engine loop, rows from this thread."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from queue import Empty, SimpleQueue
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from arguslm.api.leases import HEARTBEAT_S, LeaseLost
from benchmarks import engine
from benchmarks.announcements import announce
from benchmarks.engine import Finished, Step
from benchmarks.models import MAX_CRASHES, BenchmarkResult, BenchmarkRun
from models_app.models import LLM
from models_app.probe import Target, learn, probe, row_values, target_of
from models_app.prompts import PROMPT_PACKS, PromptPack
from providers.errors import ExchangeFailed
from providers.loop import engine_loop
from providers.measurement import Outcome, now_ns
from providers.secrets import Undecryptable

log = logging.getLogger(__name__)

WARM_UP_TOKENS = 16
LOOK_S = 0.25
ANNOUNCE_S = 0.1
OWNER_S = 0.5

# Set when this worker is asked to stop: its runs are handed back, which is no crash.
draining = threading.Event()


class CannotRun(Exception):
    """The run can never go on; the text is its failure reason."""


def execute(run: BenchmarkRun) -> None:
    """Carries a claimed run to its end, writing only while this worker owns it."""
    try:
        _carry(run)
    except LeaseLost:
        log.info("Benchmark %s is no longer ours: it was cancelled or taken over.", run.pk)


def _carry(run: BenchmarkRun) -> None:
    run.start()
    try:
        if run.crashes >= MAX_CRASHES:
            raise CannotRun(f"Its worker died {run.crashes} times.")
        work = Execution(run)
    except CannotRun as exc:
        run.fail(str(exc))
        return
    announce(run.pk)
    work.carry_on()


class Execution:
    def __init__(self, run: BenchmarkRun) -> None:
        self.run = run
        self.pack = _pack_of(run)
        self.llms = {t.llm_id: t.llm for t in run.targets.select_related("llm__account")}
        self.targets = {llm.pk: _target_of(llm) for llm in self.llms.values()}
        self.ordinal = run.results.count()
        self.finished: SimpleQueue[Finished[Outcome]] = SimpleQueue()
        self._beat_at = self._owned_at = self._told_at = time.monotonic()
        self._is_told = True

    def carry_on(self) -> None:
        probing = engine_loop().submit(self._probe_all(self.run.remaining()))
        try:
            self._keep(probing)
        finally:
            probing.cancel()

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
        probing.result()
        self.run.complete()

    def _patience(self) -> float:
        return LOOK_S if self._is_told else ANNOUNCE_S

    def _arrived(self, timeout_s: float) -> list[Finished[Outcome]]:
        """What has ended since the last look; waits up to `timeout_s` for the first."""
        found: list[Finished[Outcome]] = []
        try:
            found.append(self.finished.get(timeout=timeout_s or None, block=timeout_s > 0))
            while True:
                found.append(self.finished.get_nowait())
        except Empty:
            return found

    def _save(self, arrived: Sequence[Finished[Outcome]]) -> None:
        if arrived:
            rows = [self._row(done, place) for place, done in enumerate(arrived, start=1)]
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

    def _heartbeat(self) -> None:
        self.run.heartbeat()
        self._beat_at = self._owned_at = time.monotonic()

    async def _probe_all(self, steps: Sequence[Step]) -> None:
        gates = {t.account_id: _gate_of(self.llms[t.llm_id]) for t in self.targets.values()}
        clients = engine_loop().clients

        async def once(step: Step) -> Outcome:
            target = self.targets[step.llm_id]
            sched_ns = now_ns()
            async with gates[target.account_id]:
                return await probe(
                    target,
                    self.pack,
                    max_tokens=self.run.max_tokens,
                    clients=clients,
                    sched_ns=sched_ns,
                    acq_ns=now_ns(),
                )

        async def warm_up(llm_id: UUID) -> None:
            target = self.targets[llm_id]
            async with gates[target.account_id]:
                tokens = min(WARM_UP_TOKENS, self.run.max_tokens)
                await probe(target, self.pack, max_tokens=tokens, clients=clients)

        async for done in engine.run(steps, once, warm_up=warm_up):
            self.finished.put(done)


def _pack_of(run: BenchmarkRun) -> PromptPack:
    if run.prompt_pack not in PROMPT_PACKS:
        raise CannotRun(f"The prompt pack {run.prompt_pack!r} is not known here.")
    return PROMPT_PACKS[run.prompt_pack]


def _target_of(llm: LLM) -> Target:
    try:
        return target_of(llm)
    except (Undecryptable, ExchangeFailed) as exc:
        raise CannotRun(f"{llm.account.display_name}: {exc}") from exc


def _gate_of(llm: LLM) -> asyncio.Semaphore | nullcontext[None]:
    """The limit that the operator set on an account holds here too."""
    limit = llm.account.concurrency_limit
    return asyncio.Semaphore(limit) if limit else nullcontext()
