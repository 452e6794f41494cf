"""The requests of one run, on the engine loop: gates, marks against caches, time limits."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from uuid import UUID

from benchmarks import engine
from benchmarks.engine import Finished, Load, OpenLoop, Step
from models_app.probe import Target, probe, quirks_of
from models_app.prompts import PromptPack
from providers.adapters import ClientPool
from providers.measurement import Outcome, now_ns

WARM_UP_TOKENS = 16
# The iteration of a warm-up: no result of the run.
WARM_UP = 0
MARK_LENGTH = 12
# What a mark costs by the tokenizers of today, give or take two.
MARK_TOKENS = 10

Gate = AbstractAsyncContextManager[object]


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of whom, and how. `limits` are concurrent requests by account."""

    run_id: UUID
    pack: PromptPack
    max_tokens: int
    targets: Mapping[UUID, Target]
    limits: Mapping[UUID, int]
    load: Load | OpenLoop
    cache_busting: bool = True
    model_time_limit_s: float | None = None
    spent_s: Mapping[UUID, float] = field(default_factory=dict)


def mark(run_id: UUID, llm_id: UUID, iteration: int) -> str:
    """What stands before a prompt so that no provider finds its beginning in a cache.

    It follows from the run, the LLM and the iteration, so it need not be stored to be known.
    """
    digest = hashlib.blake2s(run_id.bytes + llm_id.bytes + iteration.to_bytes(4, "big"))
    return f"[{digest.hexdigest()[:MARK_LENGTH]}] "


class Probing:
    """`tell` gets every outcome, and the warm-ups that taught how a provider wants to be asked."""

    def __init__(
        self, work: Work, clients: ClientPool, tell: Callable[[Finished[Outcome]], None]
    ) -> None:
        self._work = work
        self._clients = clients
        self._tell = tell
        self._gates = {t.account_id: self._gate(t.account_id) for t in work.targets.values()}
        self._spent_s = defaultdict(float, work.spent_s)

    async def run(self, steps: Sequence[Step]) -> None:
        # Warmed in the order in which the LLMs come, before the first clock starts.
        await engine.warm_up(dict.fromkeys(step.llm_id for step in steps), self._warm)
        async for done in engine.run(steps, self._ask, self._work.load):
            if done.outcome is not None:
                self._tell(Finished(done.step, done.outcome))

    async def _ask(self, step: Step, sched_ns: int) -> Outcome | None:
        """None when the LLM has used up its time."""
        async with self._gate_of(step.llm_id):
            if self._is_out_of_time(step.llm_id):
                return None
            acq_ns = now_ns()
            # A closed loop has no timetable: nobody has waited for a request whose turn comes now.
            due_ns = sched_ns if isinstance(self._work.load, OpenLoop) else acq_ns
            outcome = await self._probe(step, self._work.max_tokens, due_ns, acq_ns)
        self._spent_s[step.llm_id] += (now_ns() - acq_ns) / 1e9
        return outcome

    async def _warm(self, llm_id: UUID) -> None:
        step = Step(llm_id, WARM_UP)
        async with self._gate_of(llm_id):
            outcome = await self._probe(step, min(WARM_UP_TOKENS, self._work.max_tokens))
        if quirks_of(outcome):
            self._tell(Finished(step, outcome))

    async def _probe(
        self, step: Step, max_tokens: int, sched_ns: int | None = None, acq_ns: int | None = None
    ) -> Outcome:
        work = self._work
        return await probe(
            work.targets[step.llm_id],
            work.pack,
            max_tokens=max_tokens,
            clients=self._clients,
            sched_ns=sched_ns,
            acq_ns=acq_ns,
            mark=mark(work.run_id, step.llm_id, step.iteration) if work.cache_busting else "",
        )

    def _is_out_of_time(self, llm_id: UUID) -> bool:
        limit_s = self._work.model_time_limit_s
        return limit_s is not None and self._spent_s[llm_id] >= limit_s

    def _gate_of(self, llm_id: UUID) -> Gate:
        return self._gates[self._work.targets[llm_id].account_id]

    def _gate(self, account_id: UUID) -> Gate:
        """The limit that the operator set on an account holds here too."""
        limit = self._work.limits.get(account_id)
        return asyncio.Semaphore(limit) if limit else nullcontext()
