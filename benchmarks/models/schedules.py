from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from arguslm.api.ids import new_id
from benchmarks.cron import NO_CRON, is_cron, next_of_cron, next_of_hours
from benchmarks.models.runs import MAX_OPEN_RUNS, BenchmarkRun
from benchmarks.models.settings import RunSettings
from models_app.models import LLM

MAX_HOURS = 31 * 24
MAX_BASELINE_RUNS = 50
MAX_ALARM_AFTER = 10


def cron_text(text: str) -> None:
    if not is_cron(text):
        raise ValidationError(NO_CRON)


class BenchmarkScheduleQuerySet(models.QuerySet["BenchmarkSchedule"]):
    def due(self, now: datetime) -> BenchmarkScheduleQuerySet:
        return self.filter(enabled=True, next_due_at__lte=now).order_by("next_due_at", "id")


class BenchmarkSchedule(RunSettings):
    """A benchmark that comes again, and whose runs are judged by the ones before."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=255)
    enabled = models.BooleanField(default=True)
    cron = models.CharField(
        max_length=100, blank=True, validators=[cron_text], help_text="Five fields, in UTC."
    )
    every_hours = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_HOURS)]
    )
    baseline_runs = models.PositiveIntegerField(
        default=7,
        validators=[MinValueValidator(3), MaxValueValidator(MAX_BASELINE_RUNS)],
        help_text="Earlier runs that a new one is compared with, pooled.",
    )
    alarm_after_runs = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_ALARM_AFTER)],
        help_text="Runs that must be slower one after the other before an alert is raised.",
    )
    baseline_from = models.DateTimeField(
        null=True, editable=False, help_text="Runs before this time are no baseline any more."
    )
    llms = models.ManyToManyField(LLM, through="ScheduleTarget", related_name="schedules")
    next_due_at = models.DateTimeField(null=True, editable=False)
    last_note = models.TextField(
        blank=True, editable=False, help_text="Why the last slot was left out."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BenchmarkScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="schedule_cron_or_hours",
                condition=Q(cron="", every_hours__gte=1) | (~Q(cron="") & Q(every_hours=None)),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if bool(self.cron) == bool(self.every_hours):
            raise ValidationError("Give either a cron expression or every so many hours.")

    @classmethod
    def make(cls, llms: Sequence[LLM], **fields: Any) -> BenchmarkSchedule:
        with transaction.atomic():
            schedule = cls(**fields)
            schedule.next_due_at = schedule.first_slot(timezone.now())
            schedule.save()
            schedule.aim_at(llms)
        return schedule

    def change(self, llms: Sequence[LLM] | None, **fields: Any) -> None:
        """Saves other settings; another rhythm counts from now."""
        rhythm = [name for name in ("cron", "every_hours", "enabled") if name in fields]
        is_other = any(getattr(self, name) != fields[name] for name in rhythm)
        with transaction.atomic():
            for name, value in fields.items():
                setattr(self, name, value)
            if is_other:
                self.next_due_at = self.first_slot(timezone.now())
                fields["next_due_at"] = self.next_due_at
            self.save(update_fields=[*fields, "updated_at"])
            if llms is not None:
                self.aim_at(llms)

    def rebase(self) -> None:
        """Takes the present level as the usual one: earlier runs are no baseline any more."""
        self.baseline_from = timezone.now()
        self.save(update_fields=["baseline_from", "updated_at"])

    def aim_at(self, llms: Sequence[LLM]) -> None:
        self.targets.all().delete()
        ScheduleTarget.objects.bulk_create(
            ScheduleTarget(schedule=self, llm=llm, position=place) for place, llm in enumerate(llms)
        )

    @property
    def llm_ids(self) -> list[Any]:
        return [target.llm_id for target in self.targets.all()]

    def first_slot(self, now: datetime) -> datetime | None:
        if not self.enabled:
            return None
        return next_of_cron(self.cron, now) if self.cron else now

    def slot_after(self, slot: datetime, now: datetime) -> datetime:
        """The next slot that is still to come: however many were missed, one run makes up."""
        if self.cron:
            return next_of_cron(self.cron, max(slot, now))
        return next_of_hours(timedelta(hours=self.every_hours or 1), slot, max(slot, now))

    def run_slot(self, now: datetime) -> BenchmarkRun | None:
        """Orders the run of the slot that is due; None for the callers that came too late.

        The slot also passes without a run when the last one is still open or no LLM is left.
        """
        slot = self.next_due_at
        if slot is None or BenchmarkRun.objects.open().count() >= MAX_OPEN_RUNS:
            return None
        llms = [llm for llm in self._llms() if llm.enabled_for_benchmark and llm.account.enabled]
        note = self._obstacle(llms)
        with transaction.atomic():
            due = BenchmarkSchedule.objects.filter(pk=self.pk, enabled=True, next_due_at=slot)
            if not due.update(next_due_at=self.slot_after(slot, now), last_note=note) or note:
                return None
            return BenchmarkRun.order(
                llms,
                name=f"{self.name} {slot:%Y-%m-%d %H:%M}",
                triggered_by=BenchmarkRun.TriggeredBy.SCHEDULED,
                schedule=self,
                **self.settings(),
            )

    def _llms(self) -> list[LLM]:
        return [target.llm for target in self.targets.select_related("llm__account")]

    def _obstacle(self, llms: Sequence[LLM]) -> str:
        if not llms:
            return "None of its models is enabled for benchmarks."
        if BenchmarkRun.objects.open().filter(schedule=self).exists():
            return "The run before was not over yet."
        return ""


class ScheduleTarget(models.Model):
    schedule = models.ForeignKey(BenchmarkSchedule, models.CASCADE, related_name="targets")
    llm = models.ForeignKey(LLM, models.CASCADE, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "llm"], name="schedule_target_once")
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.position}"
