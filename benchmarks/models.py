from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from arguslm.api.ids import new_id
from arguslm.api.leases import Leased
from models_app.models import LLM, Measured


class BenchmarkRun(Leased):
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
    prompt_pack = models.CharField(max_length=64)
    max_tokens = models.PositiveIntegerField(
        default=200, validators=[MinValueValidator(1), MaxValueValidator(4096)]
    )
    num_runs = models.PositiveIntegerField(default=3, validators=[MinValueValidator(1)])
    seed = models.BigIntegerField(help_text="Orders the LLMs inside each iteration.")
    triggered_by = models.CharField(
        max_length=10, choices=TriggeredBy.choices, default=TriggeredBy.USER
    )
    llms = models.ManyToManyField(LLM, through="BenchmarkTarget", related_name="benchmark_runs")
    started_at = models.DateTimeField(null=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["status", "-created_at"], name="run_newest_of_status")]

    def __str__(self) -> str:
        return self.name


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
