"""Conditions under which a benchmark in a pipeline fails: `ttft_p50>800`, `errors>0`, `slower`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.summaries import PERCENTS

METRICS = {
    "ttft": "ttft_ms",
    "ttfa": "ttfa_ms",
    "latency": "total_latency_ms",
    "response": "response_ms",
    "tpot": "tpot_ms",
    "tps": "tps",
}
COUNTS = ("errors", "error_rate", "goodput", "cost")
OTHERS = ("mean", "min", "max")
# Judged by a comparison with earlier runs, not by a figure.
SLOWER = "slower"
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_FORM = re.compile(r"\s*([a-z_]+?)(?:_(p\d+|mean|min|max))?\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*")


class BadGate(ValueError):
    """The text is no condition; says what one looks like."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Fails a model whose figure is beyond the limit, and one whose figure is unknown."""

    text: str
    name: str
    figure: str | None
    comparison: str
    limit: float

    @classmethod
    def of(cls, text: str) -> Gate:
        found = _FORM.fullmatch(text)
        if found is None:
            raise BadGate(f"{text!r} is no condition. One looks like ttft_p50>800 or errors>0.")
        name, figure, comparison, limit = found.groups()
        if figure not in _figures_of(name):
            raise BadGate(f"{text!r}: there is no such figure. Known are {_known()}.")
        return cls(text.strip(), name, figure, comparison, float(limit))

    def breach(self, model: Mapping[str, Any]) -> str | None:
        """What is wrong with a model's statistics; None when nothing is."""
        value = self._value(model)
        if value is None:
            return f"{self.text}: unknown"
        is_breach = COMPARISONS[self.comparison](value, self.limit)
        return f"{self.text}: it is {value:.4g}" if is_breach else None

    def doubt(self, model: Mapping[str, Any]) -> str | None:
        """Why the figure is worth little; None when it is not."""
        if self.name not in METRICS or self.figure in OTHERS:
            return None
        spread = model[METRICS[self.name]]
        if not spread["n"] or spread["reliable"][self.figure]:
            return None
        return f"{self.text}: of {spread['n']} values no {self.figure} is reliable"

    def _value(self, model: Mapping[str, Any]) -> float | None:
        value: float | None
        if self.figure is not None:
            value = model[METRICS[self.name]][self.figure]
            return value
        match self.name:
            case "errors":
                return float(model["n_failed"])
            case "error_rate":
                rate = model["success"]["rate"]
                return None if rate is None else 1 - rate
            case "cost":
                value = model["cost"]["total_usd"]
            case _:
                value = (model["goodput"] or {}).get("attainment", {}).get("rate")
        return value


def _figures_of(name: str) -> tuple[str | None, ...]:
    if name in COUNTS:
        return (None,)
    if name not in METRICS:
        return ()
    return (*(f"p{percent}" for percent in PERCENTS[METRICS[name]]), *OTHERS)


def _known() -> str:
    times, rates = (
        ", ".join(f"{name}_{figure}" for figure in _figures_of(name)) for name in ("ttft", "tps")
    )
    alike = ", ".join(name for name in METRICS if name not in ("ttft", "tps"))
    return f"{times} (and so for {alike}), {rates}, {', '.join(COUNTS)} and {SLOWER}"
