"""Plots as inline SVG: no script, readable in print, in dark mode and without colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeVar

from benchmarks.axes import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Axis, grid_across, grid_up, plain
from providers.statistics.intervals import SMALLEST_FOR_MEDIAN, median_interval
from providers.statistics.quantiles import ecdf, median, quantile

HEIGHT = 300
ROW, HALF_BOX, NAMES = 38, 13, 130
LANE, LANES = 10, 6
# Of more points the farthest stay and the others are thinned.
MOST_POINTS, FARTHEST = 400, 50
# Okabe and Ito's colours, told apart with any kind of sight, in the order of their contrast.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c7a00", "#666666")
# From the ninth model on the colours come again, with another stroke and another mark.
DASHES = ("", "7 3", "2 3", "9 3 2 3")
MARKS = ("circle", "square", "diamond", "triangle")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one model, in one colour. `at_s` are their times, for a timeline."""

    name: str
    values: Sequence[float]
    at_s: Sequence[float] = ()
    failed_at_s: Sequence[float] = ()

    @property
    def answered_share(self) -> float:
        total = len(self.values) + len(self.failed_at_s)
        return len(self.values) / total if total else 0.0


def ecdf_plot(samples: Sequence[Sample], title: str) -> str:
    """The share of all requests that had at most that value; a failed one never has it."""
    if not any(sample.values for sample in samples):
        return ""
    across = Axis.over((v for s in samples for v in s.values), LEFT, WIDTH - RIGHT)
    up = Axis(0, 1, HEIGHT - BOTTOM, TOP)
    parts = [*grid_across(across, HEIGHT, title)]
    parts += grid_up(up, lambda v: f"{v * 100:.0f} %", "share of the requests")
    for nth, sample in enumerate(samples):
        if sample.values:
            points = [(v, share * sample.answered_share) for v, share in ecdf(sample.values)]
            parts.append(_steps(points, across, up, nth, sample))
    return _svg(parts, HEIGHT, "Empirical distribution")


def strip_plot(samples: Sequence[Sample], title: str) -> str:
    """Every request a mark, one row per model: the middle half, the median and its interval."""
    shown = [(nth, sample) for nth, sample in enumerate(samples) if sample.values]
    if not shown:
        return ""
    height = TOP + ROW * len(shown) + BOTTOM
    left = LEFT + NAMES
    across = Axis.over((v for _, s in shown for v in s.values), left, WIDTH - RIGHT)
    parts = [*grid_across(across, height, title)]
    for row, (nth, sample) in enumerate(shown):
        middle = TOP + ROW * row + ROW / 2
        name = f"{_short(sample.name)} ({len(sample.values)})"
        parts.append(f'<text x="{left - 10}" y="{middle + 4}" class="name">{name}</text>')
        parts += _box(sample, across, middle)
        parts += _dots(sample, across, middle, nth)
        parts += _middle(sample, across, middle)
    return _svg(parts, height, "Every request")


def timeline_plot(samples: Sequence[Sample], title: str) -> str:
    """Values by the time of their requests; a cross at the top, in a lane of its own, failed."""
    values = [v for s in samples for v in s.values]
    times = [t for s in samples for t in (*s.at_s, *s.failed_at_s)]
    if not values or not times:
        return ""
    across = Axis(0, max(*times, 1e-3), LEFT, WIDTH - RIGHT)
    lanes = {
        nth: lane for lane, nth in enumerate(n for n, s in enumerate(samples) if s.failed_at_s)
    }
    lowest = TOP + LANE * min(len(lanes), LANES)
    up = Axis.over(values, HEIGHT - BOTTOM, lowest)
    parts = [*grid_across(across, HEIGHT, "seconds after the first request")]
    parts += grid_up(up, plain, title)
    for nth, sample in enumerate(samples):
        points = list(zip(sample.at_s, sample.values, strict=True))
        for at_s, value in _thinned(points, lambda point: point[1]):
            parts.append(_mark(across.place(at_s), up.place(value), nth, 2.5))
        for at_s in _thinned(list(sample.failed_at_s), float):
            x = across.place(at_s)
            y = TOP + 4 + LANE * (lanes[nth] % LANES)
            cross = f'<text x="{x}" y="{y}" class="x" style="fill:{_colour(nth)}">'
            parts.append(f"{cross}&#215;</text>")
    return _svg(parts, HEIGHT, "Timeline")


def legend(samples: Sequence[Sample]) -> str:
    return "".join(
        f'<span><svg width="26" height="12"><line x1="0" x2="26" y1="6" y2="6" '
        f"{_stroke(nth)}/>{_mark(13, 6, nth, 4)}</svg> {escape(sample.name)}</span>"
        for nth, sample in enumerate(samples)
    )


def _steps(
    points: Iterable[tuple[float, float]], across: Axis, up: Axis, nth: int, sample: Sample
) -> str:
    path, below = "", up.place(0)
    for value, share in points:
        x, y = across.place(value), up.place(share)
        path += f"{'L' if path else 'M'}{x} {below}V{y}"
        below = y
    if sample.answered_share < 1:
        # What is missing to the whole are the requests that failed: they never get there.
        path += f"H{across.end}"
    title = f"<title>{escape(sample.name)}</title>"
    return f'<path d="{path}" fill="none" {_stroke(nth)}>{title}</path>'


def _dots(sample: Sample, across: Axis, middle: float, nth: int) -> Iterator[str]:
    for place, value in enumerate(_thinned(sorted(sample.values), float)):
        # A fixed jitter, so that the same run always gives the same picture.
        y = round(middle + ((place * 7) % 11 - 5) * 1.6, 1)
        yield _mark(across.place(value), y, nth, 2.2, opacity=0.7)


def _box(sample: Sample, across: Axis, middle: float) -> Iterator[str]:
    if len(sample.values) >= SMALLEST_FOR_MEDIAN:
        low, high = (across.place(quantile(sample.values, p)) for p in (0.25, 0.75))
        size = f'width="{max(round(high - low, 1), 1.0)}" height="{2 * HALF_BOX}"'
        yield f'<rect x="{low}" y="{middle - HALF_BOX}" {size} class="box"/>'


def _middle(sample: Sample, across: Axis, middle: float) -> Iterator[str]:
    x, top, floor = across.place(median(sample.values)), middle - HALF_BOX, middle + HALF_BOX
    yield f'<line x1="{x}" x2="{x}" y1="{top}" y2="{floor}" class="median"/>'
    interval = median_interval(sample.values)
    if interval is not None:
        low, high = across.place(interval.low), across.place(interval.high)
        yield f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" class="median"/>'


def _mark(x: float, y: float, nth: int, size: float, opacity: float = 1.0) -> str:
    look = f'fill="{_colour(nth)}" fill-opacity="{opacity}"'
    wide = round(size * 1.3, 1)
    match MARKS[nth // len(COLOURS) % len(MARKS)]:
        case "square":
            corner = f'x="{round(x - size, 1)}" y="{round(y - size, 1)}"'
            return f'<rect {corner} width="{2 * size}" height="{2 * size}" {look}/>'
        case "diamond":
            edges = f"l{wide} {wide}l-{wide} {wide}l-{wide} -{wide}z"
            return f'<path d="M{x} {round(y - wide, 1)}{edges}" {look}/>'
        case "triangle":
            edges = f"l{wide} {2 * wide}h-{2 * wide}z"
            return f'<path d="M{x} {round(y - wide, 1)}{edges}" {look}/>'
        case _:
            return f'<circle cx="{x}" cy="{y}" r="{size}" {look}/>'


def _thinned(points: list[T], value_of: Callable[[T], float]) -> list[T]:
    """Evenly, but none of the farthest is left out: those are what one looks for."""
    if len(points) <= MOST_POINTS:
        return points
    order = sorted(range(len(points)), key=lambda place: value_of(points[place]))
    kept = {*order[:FARTHEST], *order[-FARTHEST:]}
    others = MOST_POINTS - 2 * FARTHEST
    kept.update(round(i * (len(points) - 1) / (others - 1)) for i in range(others))
    return [points[place] for place in sorted(kept)]


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
    """In the middle: names of one family differ at their ends."""
    return escape(name if len(name) <= 26 else f"{name[:10]}…{name[-15:]}")
