from __future__ import annotations

from benchmarks.models.documents import RunDocument
from benchmarks.models.runs import (
    CANCELLED,
    MAX_CRASHES,
    MAX_OPEN_RUNS,
    BenchmarkResult,
    BenchmarkRun,
    BenchmarkRunQuerySet,
    BenchmarkTarget,
    RunActive,
    RunEnded,
)
from benchmarks.models.schedules import BenchmarkSchedule, ScheduleTarget
from benchmarks.models.settings import MAX_ITERATIONS, RunSettings

__all__ = [
    "CANCELLED",
    "MAX_CRASHES",
    "MAX_ITERATIONS",
    "MAX_OPEN_RUNS",
    "BenchmarkResult",
    "BenchmarkRun",
    "BenchmarkRunQuerySet",
    "BenchmarkSchedule",
    "BenchmarkTarget",
    "RunActive",
    "RunDocument",
    "RunEnded",
    "RunSettings",
    "ScheduleTarget",
]
