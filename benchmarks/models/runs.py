from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property

from arguslm.api.ids import new_id
from arguslm.api.leases import Leased, unheld
from benchmarks.engine import Arrivals, OpenLoop, Step, plan, timetable
from benchmarks.models.settings import RunSettings
from benchmarks.signals import run_finished
from models_app.models import LLM, Measured
from models_app.packs import pack_of

MAX_OPEN_RUNS = 20
MAX_CRASHES = 3
START_GRACE = timedelta(seconds=3)
CANCELLED = "cancelled"
SEEDS = 2**31


class RunEnded(Exception):
    """The run has ended already: nothing can change it any more."""


class RunActive(Exception):
    """The run is being worked on: cancel it first."""


class BenchmarkRunQuerySet(models.QuerySet["BenchmarkRun"]):
    def open(self) -> BenchmarkRunQuerySet:
        return self.filter(status__in=BenchmarkRun.open_states)

    def described(self) -> BenchmarkRunQuerySet:
        """With `result_count` and the targets: all that the API says of a run."""
        newest = BenchmarkResult.objects.filter(run=OuterRef("pk")).order_by("-ordinal")
        # Ordinals have no gaps, so the last one is the count, at the price of one index look-up.
        count = Coalesce(Subquery(newest.values("ordinal")[:1]), 0)
        return self.annotate(result_count=count).prefetch_related("targets")

    def unjudged(self) -> BenchmarkRunQuerySet:
        """Completed runs of schedules that nobody has compared with the earlier ones."""
        return self.filter(
            status=BenchmarkRun.Status.COMPLETED, schedule__isnull=False, verdicts__isnull=True
        )

    def left_lying(self, now: datetime) -> BenchmarkRunQuerySet:
        """Open runs that nobody works on: never started, handed back, or of a dead worker."""
        return self.filter(
            Q(status=BenchmarkRun.Status.PENDING, created_at__lt=now - START_GRACE)
            | Q(status=BenchmarkRun.Status.RUNNING) & unheld(now)
        ).order_by("created_at", "id")


class BenchmarkRun(Leased, RunSettings):
    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    class TriggeredBy(models.TextChoices):
        USER = "user"
        SCHEDULED = "scheduled"

    open_states: ClassVar[tuple[str, ...]] = (Status.PENDING, Status.RUNNING)
    running_state: ClassVar[str] = Status.RUNNING

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    failure_reason = models.TextField(blank=True, editable=False)
    prompt = models.TextField(
        blank=True, help_text="The prompt as it was when the run was ordered."
    )
    seed = models.BigIntegerField(help_text="Orders the LLMs inside each iteration.")
    triggered_by = models.CharField(
        max_length=10, choices=TriggeredBy.choices, default=TriggeredBy.USER
    )
    schedule = models.ForeignKey(
        "benchmarks.BenchmarkSchedule", models.SET_NULL, null=True, related_name="runs"
    )
    llms = models.ManyToManyField(LLM, through="BenchmarkTarget", related_name="benchmark_runs")
    facts = models.JSONField(default=dict, editable=False, help_text="The client that measured.")
    verdicts = models.JSONField(
        null=True, editable=False, help_text="Against the earlier runs of its schedule."
    )
    started_at = models.DateTimeField(null=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BenchmarkRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["status", "-created_at"], name="run_newest_of_status"),
            models.Index(
                fields=["created_at"],
                name="run_unjudged",
                condition=Q(status="completed", schedule__isnull=False, verdicts__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def order(cls, llms: Sequence[LLM], **fields: Any) -> BenchmarkRun:
        """A new pending run over `llms`; it draws its seed and takes the prompt of its pack."""
        pack = pack_of(fields["prompt_pack"])
        drawn = random.randrange(SEEDS)  # noqa: S311 - an order
        defaults = {"seed": drawn, "prompt": pack.prompt if pack else ""}
        with transaction.atomic():
            run = cls.objects.create(**defaults | fields)
            BenchmarkTarget.objects.bulk_create(
                BenchmarkTarget(run=run, llm=llm, position=position)
                for position, llm in enumerate(llms)
            )
        return run

    @property
    def is_open(self) -> bool:
        return self.status in self.open_states

    @property
    def is_cancelled(self) -> bool:
        return self.status == self.Status.FAILED and self.failure_reason == CANCELLED

    @property
    def llm_ids(self) -> list[UUID]:
        return [target.llm_id for target in self.targets.all()]

    @cached_property
    def total(self) -> int:
        """Requests that the whole run makes."""
        return len(self.targets.all()) * self.num_runs

    def llm_names(self) -> dict[UUID, str]:
        """Names by id, in the order of the targets; equal ones with more, until they differ."""
        llms = [target.llm for target in self.targets.select_related("llm__account")]
        names = {llm.pk: llm.name for llm in llms}
        for longer in (_name_in_account, LLM.full_name):
            times = Counter(names.values())
            names |= {llm.pk: longer(llm) for llm in llms if times[names[llm.pk]] > 1}
        return names

    def remaining(self) -> list[Step]:
        done = {Step(*pair) for pair in self.results.values_list("llm_id", "iteration")}
        return [step for step in self.steps() if step not in done]

    def steps(self) -> list[Step]:
        """All requests of the run in the order in which they are made."""
        if self.open_loop is not None:
            return timetable(self.llm_ids, self.num_runs, self.seed, self.open_loop)
        return plan(self.llm_ids, self.num_runs, self.seed)

    def seconds_left(self, done: int, at: datetime) -> float | None:
        """If the rest takes as long per request as what is done at that moment."""
        if self.started_at is None or not done:
            return None
        elapsed_s = max((at - self.started_at).total_seconds(), 0.0)
        return round(elapsed_s / done * (self.total - done), 1)

    @property
    def open_loop(self) -> OpenLoop | None:
        if self.request_rate is None:
            return None
        return OpenLoop(self.request_rate, Arrivals(self.arrivals))

    def start(self, now: datetime | None = None) -> None:
        """Notes when work began; a resumed run keeps its first start. Raises LeaseLost."""
        now = now or timezone.now()
        started_at = self.started_at or now
        self.own(started_at=started_at, updated_at=now, facts=self.facts)
        self.started_at = started_at

    def complete(self) -> None:
        """Raises LeaseLost unless this worker runs it."""
        self._end(self.Status.COMPLETED)

    def fail(self, reason: str) -> None:
        """Raises LeaseLost unless this worker runs it."""
        self._end(self.Status.FAILED, reason)

    def cancel(self) -> None:
        """Ends the run for everybody, whoever works on it. Raises RunEnded."""
        changes = self._ending(self.Status.FAILED, CANCELLED)
        with transaction.atomic():
            if not BenchmarkRun.objects.open().filter(pk=self.pk).update(**changes):
                raise RunEnded(self.pk)
            self._tell(changes)

    def discard(self) -> None:
        """Deletes the run with its results. Raises RunActive while a worker has it."""
        with transaction.atomic():
            row = BenchmarkRun.objects.select_for_update().filter(pk=self.pk).first()
            if row is not None and row.status == self.Status.RUNNING:
                raise RunActive(self.pk)
            if row is not None:
                row.delete()

    def is_mine(self) -> bool:
        rows = BenchmarkRun.objects.filter(pk=self.pk, fence=self.fence)
        return rows.filter(status=self.Status.RUNNING).exists()

    def _end(self, status: str, reason: str = "") -> None:
        changes = self._ending(status, reason)
        with transaction.atomic():
            self.own(**changes)
            self._tell(changes)

    def _ending(self, status: str, reason: str) -> dict[str, Any]:
        now = timezone.now()
        return {
            "status": status,
            "failure_reason": reason,
            "completed_at": now,
            "updated_at": now,
            "lease_expires_at": None,
        }

    def _tell(self, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            setattr(self, name, value)
        transaction.on_commit(lambda: run_finished.send_robust(BenchmarkRun, run=self))


def _name_in_account(llm: LLM) -> str:
    return f"{llm.account.display_name}/{llm.name}"


class BenchmarkTarget(models.Model):
    """An LLM of a run, at the place where the request named it."""

    run = models.ForeignKey(BenchmarkRun, models.CASCADE, related_name="targets")
    llm = models.ForeignKey(LLM, models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        verbose_name = "benchmark run"
        constraints = [
            models.UniqueConstraint(fields=["run", "llm"], name="target_once_per_run"),
            models.UniqueConstraint(fields=["run", "position"], name="target_place_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.position}"


class BenchmarkResult(Measured):
    """One request of a run. `ordinal` counts them in the order of arrival, from 1, without gaps."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(BenchmarkRun, models.CASCADE, related_name="results")
    llm = models.ForeignKey(LLM, models.PROTECT, related_name="benchmark_results")
    iteration = models.PositiveIntegerField()
    ordinal = models.PositiveIntegerField()
    started_at = models.DateTimeField(null=True)
    answer_estimate = models.PositiveIntegerField(
        null=True, help_text="Tokens of the answer's text by our own estimate."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["ordinal"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "llm", "iteration"], name="result_once_per_iteration"
            ),
            models.UniqueConstraint(fields=["run", "ordinal"], name="result_ordinal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.ordinal}"
