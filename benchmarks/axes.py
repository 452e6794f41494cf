"""Axes of the plots: where a value lies, and which round numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 76, 16, 12, 46
# Wider than this many times, and a linear axis would show nothing of the low values.
LOG_FROM = 8.0
# Numbers written per power of ten, on an axis of so many powers.
WRITTEN = ((1.2, (1, 2, 3, 5, 7)), (2.5, (1, 2, 5)), (5.0, (1, 3)), (math.inf, (1,)))


@dataclass(frozen=True, slots=True)
class Axis:
    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float) -> Axis:
        found = list(values)
        low, high = min(found), max(found)
        if low > 0 and high / low > LOG_FROM:
            return cls(low, high, start, end, is_log=True)
        return cls(0 if low < high / 2 else low * 0.95, high * 1.02 or 1.0, start, end)

    @property
    def scale(self) -> str:
        return " (logarithmic)" if self.is_log else ""

    def place(self, value: float) -> float:
        low, high, value = (self._scaled(v) for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        return _powers(self.low, self.high) if self.is_log else _even(self.low, self.high)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def grid_across(axis: Axis, height: float, title: str) -> Iterator[str]:
    floor = height - BOTTOM
    for tick in axis.ticks():
        x = axis.place(tick)
        yield f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{floor}" class="grid"/>'
        yield f'<text x="{x}" y="{floor + 16}" class="tick">{plain(tick)}</text>'
    middle = (axis.start + axis.end) / 2
    yield f'<text x="{middle}" y="{floor + 36}" class="title">{escape(title)}{axis.scale}</text>'


def grid_up(axis: Axis, say: Callable[[float], str], title: str) -> Iterator[str]:
    for tick in axis.ticks():
        y = axis.place(tick)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" class="name">{escape(say(tick))}</text>'
    middle = (axis.start + axis.end) / 2
    turn = f'transform="translate(14 {middle}) rotate(-90)"'
    yield f'<text {turn} class="title">{escape(title)}{axis.scale}</text>'


def plain(value: float) -> str:
    if abs(value) < 10 and value != 0:
        return f"{value:.3g}"
    return f"{value:,.0f}" if math.isclose(value, round(value)) else f"{value:,.1f}"


def _even(low: float, high: float) -> list[float]:
    """Four to ten round numbers between the two."""
    rough = (high - low) / 9 or 1.0
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * k for k in (1, 2, 5, 10) if size * k >= rough)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    span = math.log10(high / low)
    digits = next(written for most, written in WRITTEN if span <= most)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [k * 10.0**p for p in powers for k in digits if low <= k * 10.0**p <= high]
