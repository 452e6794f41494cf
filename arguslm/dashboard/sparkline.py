"""A small line of recent figures, as the geometry of an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 120, 24
PADDING = 3
SLOTS = 30


@dataclass(frozen=True, slots=True)
class Beat:
    """One check: its TTFT in ms, None when unknown."""

    at: datetime
    ttft_ms: float | None
    status: str

    @property
    def is_down(self) -> bool:
        return self.status == "down"


@dataclass(frozen=True, slots=True)
class Sparkline:
    """`line` is a path with a gap where a figure is unknown; `failures` are x positions."""

    line: str
    failures: tuple[float, ...]
    last: tuple[float, float] | None
    label: str


def sparkline(beats: Sequence[Beat]) -> Sparkline:
    """Drawn from zero, newest at the right; at most SLOTS checks."""
    shown = beats[-SLOTS:]
    top = max((beat.ttft_ms or 0.0 for beat in shown if not beat.is_down), default=0.0) or 1.0
    places = [_place(i, beat, len(shown), top) for i, beat in enumerate(shown)]
    known = [place for place in places if place is not None]
    return Sparkline(
        line=_path(places),
        failures=tuple(_x(i, len(shown)) for i, beat in enumerate(shown) if beat.is_down),
        last=known[-1] if known else None,
        label=_label(shown),
    )


def _x(index: int, count: int) -> float:
    step = (WIDTH - 2 * PADDING) / (SLOTS - 1)
    return round(WIDTH - PADDING - (count - 1 - index) * step, 1)


def _place(index: int, beat: Beat, count: int, top: float) -> tuple[float, float] | None:
    if beat.is_down or beat.ttft_ms is None:
        return None
    height = (HEIGHT - 2 * PADDING) * beat.ttft_ms / top
    return _x(index, count), round(HEIGHT - PADDING - height, 1)


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    parts, pen_is_down = [], False
    for place in places:
        if place is not None:
            parts.append(f"{'L' if pen_is_down else 'M'}{place[0]:g} {place[1]:g}")
        pen_is_down = place is not None
    return "".join(parts)


def _label(beats: Sequence[Beat]) -> str:
    known = [beat.ttft_ms for beat in beats if beat.ttft_ms is not None and not beat.is_down]
    failed = sum(beat.is_down for beat in beats)
    checks = "1 check" if len(beats) == 1 else f"{len(beats)} checks"
    spread = f"TTFT {min(known):,.0f} to {max(known):,.0f} ms" if known else "no TTFT"
    return f"Last {checks}: {spread}, {failed} failed."
