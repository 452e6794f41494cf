"""A run in a terminal: a table that is drawn anew in place, or plain lines for a log."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO
from uuid import UUID

from benchmarks.models import BenchmarkResult
from providers.statistics.quantiles import quantile

COLUMNS = ("model", "done", "failed", "TTFT p50", "p95", "latency p50", "tok/s p50")
WIDTHS = (32, 9, 6, 10, 10, 12, 10)
NARROWEST = 12
UP, CLEAR = "\x1b[{}A", "\x1b[J"
# The head, the rule, the line of progress, and the line where the cursor stands.
LINES_AROUND = 4


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

    def __init__(
        self,
        names: Mapping[UUID, str],
        num_runs: int,
        out: TextIO,
        size: Callable[[], os.terminal_size] = shutil.get_terminal_size,
    ) -> None:
        self.rows = {llm_id: Row(name) for llm_id, name in names.items()}
        self.num_runs = num_runs
        self.out = out
        self.is_live = out.isatty()
        self._size = size
        self._drawn = 0
        self._tenth = 0

    def add(self, results: Sequence[BenchmarkResult]) -> None:
        for result in results:
            self.rows[result.llm_id].add(result)

    def draw(self, elapsed_s: float) -> None:
        done, total = sum(r.done for r in self.rows.values()), self.num_runs * len(self.rows)
        line = f"{done} of {total} requests, {elapsed_s:.0f} s{_left(done, total, elapsed_s)}"
        if self.is_live:
            self._redraw(line)
        elif total and done * 10 // total > self._tenth:
            self._tenth = done * 10 // total
            self.out.write(line + "\n")
        self.out.flush()

    def finish(self) -> None:
        """Leaves the whole table, also the rows for which the terminal was too low."""
        if self.is_live:
            self._go_up()
            self.out.write("\n".join(self.table()) + "\n")
            self.out.flush()

    def table(self, width: int | None = None) -> list[str]:
        """Within `width` columns: the names give way, since a broken line tears the table."""
        others = sum(WIDTHS[1:]) + len(WIDTHS) - 1
        wide = WIDTHS[0] if width is None else max(min(WIDTHS[0], width - others - 1), NARROWEST)
        rows = [_aligned(self._cells(row), wide) for row in self.rows.values()]
        head = _aligned(COLUMNS, wide)
        lines = [head, "-" * len(head), *rows]
        return lines if width is None else [line[: width - 1] for line in lines]

    def _redraw(self, progress: str) -> None:
        size = self._size()
        lines = self.table(size.columns)
        hidden = len(lines) + LINES_AROUND - 2 - size.lines
        if hidden > 0:
            kept = max(len(lines) - hidden - 1, 2)
            lines = [*lines[:kept], f"and {len(lines) - kept} more"]
        lines.append(progress[: size.columns - 1])
        self._go_up()
        self.out.write("\n".join(lines) + "\n")
        self._drawn = len(lines)

    def _go_up(self) -> None:
        self.out.write((UP.format(self._drawn) if self._drawn else "") + CLEAR)

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


def _aligned(cells: Sequence[str], wide: int) -> str:
    first, *others = zip(cells, (wide, *WIDTHS[1:]), strict=True)
    return f"{_shortened(first[0], wide):<{wide}} " + " ".join(
        f"{text:>{width}}" for text, width in others
    )


def _shortened(name: str, wide: int) -> str:
    """In the middle: names of one family differ at their ends."""
    if len(name) <= wide:
        return name
    end = (wide - 3) // 2
    return f"{name[: wide - 3 - end]}...{name[-end:]}"


def _left(done: int, total: int, elapsed_s: float) -> str:
    if not 0 < done < total:
        return ""
    return f", about {elapsed_s / done * (total - done):.0f} s left"
