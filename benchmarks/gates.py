"""Conditions under which a benchmark in a pipeline fails: `ttft_p50>800`, `errors>0`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

METRICS = {
    "ttft": "ttft_ms",
    "ttfa": "ttfa_ms",
    "latency": "total_latency_ms",
    "response": "response_ms",
    "tpot": "tpot_ms",
    "tps": "tps",
}
COUNTS = ("errors", "error_rate", "goodput", "cost")
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
        if (name in METRICS) == (figure is None) or (figure is None and name not in COUNTS):
            known = ", ".join([f"{metric}_p50" for metric in METRICS] + [*COUNTS])
            raise BadGate(f"{text!r}: there is no such figure. Known are {known} and the like.")
        return cls(text.strip(), name, figure, comparison, float(limit))

    def breach(self, model: Mapping[str, Any]) -> str | None:
        """What is wrong with a model's statistics; None when nothing is."""
        try:
            value = self._value(model)
        except KeyError:
            return f"{self.text}: {self.figure} of {self.name} is not computed"
        if value is None:
            return f"{self.text}: unknown"
        is_breach = COMPARISONS[self.comparison](value, self.limit)
        return f"{self.text}: it is {value:.4g}" if is_breach else None

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
