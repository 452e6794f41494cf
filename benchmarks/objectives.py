"""Service level objectives: what one answer must meet to be a good one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.models import BenchmarkResult

# MLPerf Inference v5.0 and v5.1, data centre: limits on TTFT and time per output token, in
# milliseconds. MLPerf asks that 99 % of the requests meet them; here each request is judged.
PRESETS: dict[str, dict[str, float]] = {
    "mlperf_llama2_70b_server": {"ttft_ms": 2000, "tpot_ms": 200},
    "mlperf_llama2_70b_interactive": {"ttft_ms": 450, "tpot_ms": 40},
    "mlperf_llama3_1_405b_server": {"ttft_ms": 6000, "tpot_ms": 175},
    "mlperf_llama3_1_405b_interactive": {"ttft_ms": 4500, "tpot_ms": 80},
    "mlperf_llama3_1_8b_server": {"ttft_ms": 2000, "tpot_ms": 100},
    "mlperf_llama3_1_8b_interactive": {"ttft_ms": 500, "tpot_ms": 30},
    "mlperf_mixtral_8x7b_server": {"ttft_ms": 2000, "tpot_ms": 200},
    "mlperf_deepseek_r1_server": {"ttft_ms": 2000, "tpot_ms": 80},
}
LIMITS = ("ttft_ms", "latency_ms", "tpot_ms", "tps")


@dataclass(frozen=True, slots=True)
class Objectives:
    """Highest times and lowest throughput; None is no limit."""

    ttft_ms: float | None = None
    latency_ms: float | None = None
    tpot_ms: float | None = None
    tps: float | None = None

    @classmethod
    def of(cls, slo: Mapping[str, Any]) -> Objectives | None:
        """The preset's limits with the ones given beside it; None when there is no limit."""
        limits = PRESETS.get(slo.get("preset", ""), {}) | {
            name: slo[name] for name in LIMITS if slo.get(name) is not None
        }
        return cls(**limits) if limits else None

    def limits(self) -> dict[str, float]:
        return {n: getattr(self, n) for n in LIMITS if getattr(self, n) is not None}

    def are_met(self, result: BenchmarkResult) -> bool:
        """Whether the answer met all of them; an unknown figure meets no limit.

        Times count from the schedule, waits included: what somebody who waited has seen.
        """
        if result.error is not None:
            return False
        waited_ms = _waited_ms(result)
        return (
            _within(_later(result.ttft_ms, waited_ms), self.ttft_ms)
            and _within(_later(result.total_latency_ms, waited_ms), self.latency_ms)
            and _within(result.tpot_ms, self.tpot_ms)
            and (self.tps is None or (result.tps is not None and result.tps >= self.tps))
        )


def _waited_ms(result: BenchmarkResult) -> float:
    if result.response_ms is None or result.total_latency_ms is None:
        return 0.0
    return result.response_ms - result.total_latency_ms


def _later(value_ms: float | None, by_ms: float) -> float | None:
    return None if value_ms is None else value_ms + by_ms


def _within(value: float | None, limit: float | None) -> bool:
    return limit is None or (value is not None and value <= limit)
