"""A run in a terminal: a table that is drawn anew in place, or plain lines for a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO
from uuid import UUID

from benchmarks.models import BenchmarkResult
from providers.statistics.quantiles import quantile

COLUMNS = ("model", "done", "failed", "TTFT p50", "p95", "latency p50", "tok/s p50")
WIDTHS = (32, 9, 6, 10, 10, 12, 10)
UP, CLEAR = "\x1b[{}A", "\x1b[J"


@dataclass(slots=True)
class Row:
    name: str
    ttft: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    tps: list[float] = field(default_factory=list)
    done: int = 0
    failed: int = 0

    def add(self, result: BenchmarkResult) -> None:
        self.done += 1
        self.failed += result.error is not None
        for values, value in (
            (self.ttft, result.ttft_ms),
            (self.latency, result.total_latency_ms),
            (self.tps, result.tps),
        ):
            if value is not None:
                values.append(value)


class Board:
    """Shows progress on `out`: in place when that is a terminal, else one line per tenth."""

    def __init__(self, names: Mapping[UUID, str], num_runs: int, out: TextIO) -> None:
        self.rows = {llm_id: Row(name) for llm_id, name in names.items()}
        self.num_runs = num_runs
        self.out = out
        self.is_live = out.isatty()
        self._drawn = 0
        self._tenth = 0

    def add(self, results: Sequence[BenchmarkResult]) -> None:
        for result in results:
            self.rows[result.llm_id].add(result)

    def draw(self, elapsed_s: float) -> None:
        done, total = sum(r.done for r in self.rows.values()), self.num_runs * len(self.rows)
        line = f"{done} of {total} requests, {elapsed_s:.0f} s{_left(done, total, elapsed_s)}"
        if self.is_live:
            lines = [*self.table(), line]
            up = UP.format(self._drawn) if self._drawn else ""
            self.out.write(up + CLEAR + "\n".join(lines) + "\n")
            self._drawn = len(lines)
        elif total and done * 10 // total > self._tenth:
            self._tenth = done * 10 // total
            self.out.write(line + "\n")
        self.out.flush()

    def table(self) -> list[str]:
        head = _aligned(COLUMNS)
        return [head, "-" * len(head), *(_aligned(self._cells(r)) for r in self.rows.values())]

    def _cells(self, row: Row) -> tuple[str, ...]:
        return (
            row.name,
            f"{row.done}/{self.num_runs}",
            str(row.failed),
            _figure(row.ttft, 0.5),
            _figure(row.ttft, 0.95),
            _figure(row.latency, 0.5),
            _figure(row.tps, 0.5),
        )


def _figure(values: Sequence[float], p: float) -> str:
    return f"{quantile(values, p):,.1f}" if values else "-"


def _aligned(cells: Sequence[str]) -> str:
    first, *others = zip(cells, WIDTHS, strict=True)
    name = first[0] if len(first[0]) <= first[1] else first[0][: first[1] - 3] + "..."
    return f"{name:<{first[1]}} " + " ".join(f"{text:>{width}}" for text, width in others)


def _left(done: int, total: int, elapsed_s: float) -> str:
    if not 0 < done < total:
        return ""
    return f", about {elapsed_s / done * (total - done):.0f} s left"
