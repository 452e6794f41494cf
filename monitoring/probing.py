"""The probes of one share, on the engine loop. Nothing here touches the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from uuid import UUID

from models_app.probe import Target, probe
from models_app.prompts import PromptPack
from monitoring.status import Attempt, CheckResult, Confirmation, Retry, next_step
from providers.adapters import ClientPool
from providers.measurement import Outcome, now_ns

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the LLMs of a share are asked. The limits count probes at the same time."""

    pack: PromptPack
    max_tokens: int
    account_limit: int
    global_limit: int
    confirmation: Confirmation


@dataclass(frozen=True, slots=True)
class Probed:
    """All attempts of one check and what they amount to; the last one decides."""

    llm_id: UUID
    outcomes: tuple[Outcome, ...]
    result: CheckResult


def attempt_of(outcome: Outcome) -> Attempt:
    failure = outcome.failure
    if failure is not None:
        return Attempt(failure.error_class, failure.message)
    return Attempt(figures=outcome.figures())


class Permits:
    """The semaphores that all rounds of a process share; they live on the engine loop."""

    def __init__(self) -> None:
        self._semaphores: dict[Hashable, tuple[int, asyncio.Semaphore]] = {}

    def semaphore(self, name: Hashable, limit: int) -> asyncio.Semaphore:
        known_limit, semaphore = self._semaphores.get(name, (0, None))
        if semaphore is None or known_limit != limit:
            # Probes that hold a permit of the old limit end by themselves.
            semaphore = asyncio.Semaphore(limit)
            self._semaphores[name] = (limit, semaphore)
        return semaphore


class Probing:
    """Probes all targets side by side and reports each one as soon as its result stands.

    `wanted` may be replaced from another thread: an LLM that is no longer in it is left out.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        plan: Plan,
        clients: ClientPool,
        permits: Permits,
        report: Callable[[Probed], None],
    ) -> None:
        self.wanted = frozenset(target.llm_id for target in targets)
        self._targets = targets
        self._plan = plan
        self._clients = clients
        self._permits = permits
        self._report = report

    async def run(self) -> None:
        await asyncio.gather(*(self._check(target) for target in self._targets))

    async def _check(self, target: Target) -> None:
        try:
            probed = await self._confirmed(target)
        except Exception:  # a fault of ours with one LLM must not cost the others their results
            log.exception("The check of %s broke; it has no result in this round.", target.name)
            return
        if probed is not None:
            self._report(probed)

    async def _confirmed(self, target: Target) -> Probed | None:
        outcomes: list[Outcome] = []
        step = next_step([], self._plan.confirmation)
        while isinstance(step, Retry):
            await asyncio.sleep(step.after_s)
            outcome = await self._attempt(target)
            if outcome is None:
                return None
            outcomes.append(outcome)
            step = next_step([attempt_of(seen) for seen in outcomes], self._plan.confirmation)
        return Probed(target.llm_id, tuple(outcomes), step.result)

    async def _attempt(self, target: Target) -> Outcome | None:
        """One exchange under both limits; None when the LLM is no longer wanted."""
        sched_ns = now_ns()
        of_account = self._permits.semaphore(target.account_id, self._plan.account_limit)
        of_all = self._permits.semaphore("all", self._plan.global_limit)
        # The account's permit first: whoever waits for a slow provider must not block the others.
        async with of_account, of_all:
            if target.llm_id not in self.wanted:
                return None
            return await probe(
                target,
                self._plan.pack,
                max_tokens=self._plan.max_tokens,
                clients=self._clients,
                sched_ns=sched_ns,
                acq_ns=now_ns(),
            )
