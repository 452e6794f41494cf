"""The results of one LLM, as far as they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from benchmarks.models import BenchmarkRun

# A side of which this share is spoiled is not compared.
HALF = 0.5
# A late event loop spoils a figure that it can have moved by more than this share.
LATE = 0.05


class Row(NamedTuple):
    """What is compared of a successful result. Its figures are those of `BenchmarkResult`."""

    ttft_ms: float | None
    total_latency_ms: float | None
    tpot_ms: float | None
    tps: float | None
    uncertainty_ms: float | None
    quality_flags: list[str]

    def timed_ms(self, metric: str) -> float | None:
        """The time that the client measured for this figure, and may have measured wrongly."""
        if metric == "ttft_ms" or self.total_latency_ms is None:
            return self.ttft_ms
        if metric == "tpot_ms":
            return self.total_latency_ms - (self.ttft_ms or 0.0)
        return self.total_latency_ms

    def error_share(self, metric: str) -> float | None:
        timed_ms = self.timed_ms(metric)
        return self.uncertainty_ms / timed_ms if timed_ms and self.uncertainty_ms else None

    def is_late(self, metric: str) -> bool:
        """The client's event loop was late, and the stamps may have been so too."""
        if "client_lag" not in self.quality_flags:
            return False
        return self.uncertainty_ms is None or (self.error_share(metric) or 0.0) > LATE


@dataclass(frozen=True, slots=True)
class Side:
    """One LLM in one run, or in several: the successful results and how many failed."""

    llm_id: UUID
    name: str
    results: Sequence[Row]
    failed: int = 0

    def values(self, metric: str) -> list[float]:
        found = (getattr(result, metric) for result in self.results)
        return [value for value in found if value is not None]

    def share(self, flag: str) -> float:
        flagged = sum(flag in result.quality_flags for result in self.results)
        return flagged / len(self.results) if self.results else 0.0

    def fault(self, metric: str) -> str | None:
        """Why nothing can be said of these values; None when something can."""
        if not self.results:
            return None
        if self.failed_share >= HALF:
            return f"Half of the requests to {self.name} or more failed: the rest tells little."
        if sum(row.is_late(metric) for row in self.results) >= HALF * len(self.results):
            return "This client was late in half of the requests or more."
        if self.share("buffered_stream") >= HALF:
            return "Something between us and the model held the answers back."
        return None

    @property
    def failed_share(self) -> float:
        total = len(self.results) + self.failed
        return self.failed / total if total else 0.0

    @classmethod
    def pooled(cls, llm_id: UUID, name: str, sides: Sequence[Side]) -> Side:
        results = [result for side in sides for result in side.results]
        return cls(llm_id, name, results, sum(side.failed for side in sides))


def sides_of(run: BenchmarkRun) -> dict[UUID, Side]:
    """In the order of the run's LLMs."""
    good: dict[UUID, list[Row]] = {}
    failed: dict[UUID, int] = {}
    rows = run.results.order_by("ordinal").values_list("llm_id", "error_class", *Row._fields)
    for llm_id, error_class, *figures in rows:
        if error_class is None:
            good.setdefault(llm_id, []).append(Row(*figures))
        else:
            failed[llm_id] = failed.get(llm_id, 0) + 1
    return {
        pk: Side(pk, name, good.get(pk, []), failed.get(pk, 0))
        for pk, name in run.llm_names().items()
    }
