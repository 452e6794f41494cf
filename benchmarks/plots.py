"""Plots as inline SVG: no script, readable in print, in dark mode and without colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeVar

from providers.statistics.intervals import median_interval
from providers.statistics.quantiles import ecdf, median

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 64, 16, 12, 40
HEIGHT = 300
ROW = 34
MOST_POINTS = 400
# Wider than this many times, and a linear axis would show nothing of the low values.
LOG_FROM = 30.0
# Okabe and Ito's colours, told apart with any kind of sight, in the order of their contrast.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c7a00", "#666666")
DASHES = ("", "7 3", "2 3", "9 3 2 3")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one model, in one colour. `at_s` are their times, for a timeline."""

    name: str
    values: Sequence[float]
    at_s: Sequence[float] = ()
    failed_at_s: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        low, high, value = (self._scaled(v) for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        return _decades(self.low, self.high) if self.is_log else _even(self.low, self.high)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def ecdf_plot(samples: Sequence[Sample], unit: str) -> str:
    """The share of the requests that had at most that value."""
    if not any(sample.values for sample in samples):
        return ""
    across = _axis((v for s in samples for v in s.values), LEFT, WIDTH - RIGHT)
    up = Axis(0, 1, HEIGHT - BOTTOM, TOP)
    parts = [*_grid_across(across, HEIGHT, unit), *_grid_up(up, lambda v: f"{v * 100:.0f} %")]
    for nth, sample in enumerate(samples):
        if sample.values:
            parts.append(_steps(ecdf(sample.values), across, up, nth, sample.name))
    return _svg(parts, HEIGHT, "Empirical distribution")


def strip_plot(samples: Sequence[Sample], unit: str) -> str:
    """Every request a dot, one row per model; the bar is the median with its interval."""
    shown = [sample for sample in samples if sample.values]
    if not shown:
        return ""
    height = TOP + ROW * len(shown) + BOTTOM
    left = LEFT + 120
    across = _axis((v for s in shown for v in s.values), left, WIDTH - RIGHT)
    parts = [*_grid_across(across, height, unit)]
    for nth, sample in enumerate(shown):
        middle = TOP + ROW * nth + ROW / 2
        parts.append(
            f'<text x="{left - 8}" y="{middle + 4}" class="name">{_short(sample.name)}</text>'
        )
        parts += _dots(sample, across, middle, nth)
        parts += _middle(sample, across, middle)
    return _svg(parts, height, "Every request")


def timeline_plot(samples: Sequence[Sample], unit: str) -> str:
    """Values by the time of their requests; a cross at the top is a failed one."""
    values = [v for s in samples for v in s.values]
    times = [t for s in samples for t in (*s.at_s, *s.failed_at_s)]
    if not values or not times:
        return ""
    across = Axis(0, max(*times, 1e-3), LEFT, WIDTH - RIGHT)
    up = _axis(values, HEIGHT - BOTTOM, TOP + 14)
    parts = [*_grid_across(across, HEIGHT, "s after the start")]
    parts += _grid_up(up, lambda v: f"{_plain(v)} {unit}")
    for nth, sample in enumerate(samples):
        for at_s, value in _thinned(list(zip(sample.at_s, sample.values, strict=True))):
            x, y = across.place(at_s), up.place(value)
            parts.append(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{_colour(nth)}"/>')
        for at_s in _thinned(list(sample.failed_at_s)):
            x = across.place(at_s)
            cross = f'<text x="{x}" y="{TOP + 6}" class="x" style="fill:{_colour(nth)}">'
            parts.append(f"{cross}&#215;</text>")
    return _svg(parts, HEIGHT, "Timeline")


def legend(samples: Sequence[Sample]) -> str:
    return "".join(
        f'<span><svg width="26" height="10"><line x1="0" x2="26" y1="5" y2="5" '
        f"{_stroke(nth)}/></svg> {escape(sample.name)}</span>"
        for nth, sample in enumerate(samples)
    )


def _steps(
    points: Iterable[tuple[float, float]], across: Axis, up: Axis, nth: int, name: str
) -> str:
    path, below = "", up.place(0)
    for value, share in points:
        x, y = across.place(value), up.place(share)
        path += f"{'L' if path else 'M'}{x} {below}V{y}"
        below = y
    return f'<path d="{path}" fill="none" {_stroke(nth)}><title>{escape(name)}</title></path>'


def _dots(sample: Sample, across: Axis, middle: float, nth: int) -> Iterator[str]:
    for place, value in enumerate(_thinned(sorted(sample.values))):
        # A fixed jitter, so that the same run always gives the same picture.
        y = round(middle + ((place * 7) % 11 - 5) * 1.6, 1)
        x = across.place(value)
        yield f'<circle cx="{x}" cy="{y}" r="2.2" fill="{_colour(nth)}" fill-opacity="0.55"/>'


def _middle(sample: Sample, across: Axis, middle: float) -> Iterator[str]:
    x = across.place(median(sample.values))
    yield f'<line x1="{x}" x2="{x}" y1="{middle - 12}" y2="{middle + 12}" class="median"/>'
    interval = median_interval(sample.values)
    if interval is not None:
        low, high = across.place(interval.low), across.place(interval.high)
        yield f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" class="median"/>'


def _axis(values: Iterable[float], start: float, end: float) -> Axis:
    found = list(values)
    low, high = min(found), max(found)
    if low > 0 and high / low > LOG_FROM:
        return Axis(low, high, start, end, is_log=True)
    return Axis(0 if low < high / 2 else low * 0.95, high * 1.02 or 1.0, start, end)


def _grid_across(axis: Axis, height: float, unit: str) -> Iterator[str]:
    floor = height - BOTTOM
    for tick in axis.ticks():
        x = axis.place(tick)
        yield f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{floor}" class="grid"/>'
        yield f'<text x="{x}" y="{floor + 15}" class="tick">{_plain(tick)}</text>'
    scale = ", logarithmic" if axis.is_log else ""
    middle = (axis.start + axis.end) / 2
    yield f'<text x="{middle}" y="{floor + 32}" class="tick">{escape(unit)}{scale}</text>'


def _grid_up(axis: Axis, say: Callable[[float], str]) -> Iterator[str]:
    for tick in axis.ticks():
        y = axis.place(tick)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" class="name">{escape(say(tick))}</text>'


def _even(low: float, high: float) -> list[float]:
    """About seven round numbers between the two."""
    rough = (high - low) / 7 or 1.0
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * k for k in (1, 2, 5, 10) if size * k >= rough)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [k * 10.0**p for p in powers for k in (1, 3) if low <= k * 10.0**p <= high]


def _thinned(values: list[T]) -> list[T]:
    """Evenly, with both ends: a plot of more dots shows nothing more."""
    if len(values) <= MOST_POINTS:
        return values
    last = len(values) - 1
    return [values[round(i * last / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]


def _svg(parts: Iterable[str], height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _colour(nth: int) -> str:
    return COLOURS[nth % len(COLOURS)]


def _stroke(nth: int) -> str:
    dash = DASHES[nth // len(COLOURS) % len(DASHES)]
    return f'stroke="{_colour(nth)}" stroke-width="2" stroke-dasharray="{dash}"'


def _short(name: str) -> str:
    return escape(name if len(name) <= 26 else f"{name[:25]}…")


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:.3g}"
