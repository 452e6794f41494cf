"""The probes of one share, on the engine loop. Nothing here touches the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from models_app.probe import Target, probe
from models_app.prompts import PromptPack
from monitoring.canaries import with_canary
from monitoring.permits import Limits, NoPlace, Permits
from monitoring.status import (
    NO_LIMITS,
    Attempt,
    CheckResult,
    Confirmation,
    Done,
    LatencyLimits,
    classify,
    next_step,
)
from providers.adapters import ClientPool
from providers.errors import ErrorClass
from providers.measurement import Outcome, now_ns

log = logging.getLogger(__name__)
# What makes an LLM a suspect: it holds its place for long and then has not answered.
SLOW_FAILURES = frozenset(
    {ErrorClass.TIMEOUT_CONNECT, ErrorClass.TIMEOUT_TTFT, ErrorClass.TIMEOUT_TOTAL}
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Stamps of `now_ns`. Starts are spread evenly over `spread_s` from `from_ns` on.

    After `first_until_ns` nobody is asked for the first time in this round, after
    `confirm_until_ns` nobody once more; None is no such moment.
    """

    from_ns: int
    spread_s: float = 0.0
    first_until_ns: int | None = None
    confirm_until_ns: int | None = None

    def start_ns(self, llm_id: UUID) -> int:
        # The low bits of a version 7 UUID are random, so the same LLM keeps its place.
        return self.from_ns + round((llm_id.int & 0xFFFF) / 0x10000 * self.spread_s * 1e9)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the LLMs of a share are asked."""

    pack: PromptPack
    max_tokens: int
    limits: Limits
    confirmation: Confirmation
    timing: Timing


@dataclass(frozen=True, slots=True)
class Subject:
    """One LLM to be checked, and what is expected of it."""

    target: Target
    limits: LatencyLimits = NO_LIMITS
    expected_text: str | None = None
    is_suspect: bool = False


@dataclass(frozen=True, slots=True)
class Probed:
    """All attempts of one check and what they amount to; the last one decides."""

    llm_id: UUID
    outcomes: tuple[Outcome, ...]
    result: CheckResult


@dataclass(slots=True)
class Course:
    """One LLM's way through a round."""

    subject: Subject
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def attempts(self) -> list[Attempt]:
        return [attempt_of(seen) for seen in self.outcomes]

    @property
    def is_suspect(self) -> bool:
        last = self.outcomes[-1].failure if self.outcomes else None
        return self.subject.is_suspect or (last is not None and last.error_class in SLOW_FAILURES)

    def probed(self, result: CheckResult) -> Probed:
        return Probed(self.subject.target.llm_id, tuple(self.outcomes), result)


def attempt_of(outcome: Outcome) -> Attempt:
    failure = outcome.failure
    if failure is not None:
        return Attempt(failure.error_class, failure.message)
    return Attempt(figures=outcome.figures())


class Probing:
    """Probes all subjects side by side and reports each one as soon as its result stands.

    `wanted` may be replaced from another thread: an LLM that is no longer in it is left out.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        plan: Plan,
        clients: ClientPool,
        permits: Permits,
        report: Callable[[Probed | UUID], None],
    ) -> None:
        """`report` gets each result, or the id of an LLM that has come to none."""
        self.wanted = frozenset(subject.target.llm_id for subject in subjects)
        self._subjects = subjects
        self._plan = plan
        self._clients = clients
        self._permits = permits
        self._report = report

    async def run(self) -> None:
        await asyncio.gather(*(self._check(subject) for subject in self._subjects))

    async def _check(self, subject: Subject) -> None:
        try:
            probed = await self._confirmed(Course(subject))
        except Exception:  # a fault of ours with one LLM must not cost the others their results
            log.exception("The check of %s broke; it has no result.", subject.target.name)
            probed = None
        self._report(subject.target.llm_id if probed is None else probed)

    async def _confirmed(self, course: Course) -> Probed | None:
        timing, limits = self._plan.timing, course.subject.limits
        sched_ns = timing.start_ns(course.subject.target.llm_id)
        until_ns = timing.first_until_ns
        while True:
            outcome = await self._attempt(course, sched_ns, until_ns)
            if outcome is None:
                return self._cut_short(course)
            course.outcomes.append(outcome)
            step = next_step(course.attempts, self._plan.confirmation, limits)
            if isinstance(step, Done):
                return course.probed(step.result)
            sched_ns = now_ns() + round(step.after_s * 1e9)
            until_ns = timing.confirm_until_ns

    def _cut_short(self, course: Course) -> Probed | None:
        """No time is left to ask once more: what was seen counts, if anything was."""
        if not course.outcomes or course.subject.target.llm_id not in self.wanted:
            return None
        return course.probed(classify(course.attempts, course.subject.limits))

    async def _attempt(self, course: Course, sched_ns: int, until_ns: int | None) -> Outcome | None:
        """One exchange under all limits; None when it came to nothing before `until_ns`."""
        await asyncio.sleep((sched_ns - now_ns()) / 1e9)
        target = course.subject.target
        try:
            async with self._permits.held(
                target.account_id,
                target.llm_id,
                self._plan.limits,
                is_suspect=course.is_suspect,
                wait_s=_left_s(until_ns),
            ):
                return await self._asked(course, sched_ns)
        except NoPlace:
            return None

    async def _asked(self, course: Course, sched_ns: int) -> Outcome | None:
        target = course.subject.target
        if target.llm_id not in self.wanted:
            return None
        outcome = await probe(
            target,
            self._plan.pack,
            max_tokens=self._plan.max_tokens,
            clients=self._clients,
            sched_ns=min(sched_ns, now_ns()),
            acq_ns=now_ns(),
        )
        return with_canary(outcome, course.subject.expected_text)


def _left_s(until_ns: int | None) -> float | None:
    return None if until_ns is None else max(0.0, (until_ns - now_ns()) / 1e9)
