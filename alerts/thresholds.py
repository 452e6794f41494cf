"""``threshold_config`` of a performance rule: what may stand in it and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

MILLISECONDS_PER_S = 1000.0


class Metric(StrEnum):
    """What a rule may judge. Inside, tps is ms per token, so that all three get worse upwards."""

    TTFT = "ttft_ms"
    LATENCY = "latency_ms"
    TPS = "tps"


class Mode(StrEnum):
    BASELINE = "baseline"
    STATIC = "static"


class Sensitivity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Preset:
    sigma: float
    min_ratio: float
    delta_scale: float


PRESETS: dict[Sensitivity, Preset] = {
    Sensitivity.LOW: Preset(sigma=4.0, min_ratio=2.0, delta_scale=2.0),
    Sensitivity.MEDIUM: Preset(sigma=3.0, min_ratio=1.5, delta_scale=1.0),
    Sensitivity.HIGH: Preset(sigma=2.5, min_ratio=1.3, delta_scale=0.5),
}
MIN_DELTA_MS: dict[Metric, float] = {Metric.TTFT: 100.0, Metric.LATENCY: 250.0, Metric.TPS: 8.0}


@dataclass(frozen=True, slots=True)
class DegradationConfig:
    """``min_delta_ms`` and ``static_limits`` are in ms, for tps in ms per token."""

    metrics: tuple[Metric, ...] = tuple(Metric)
    mode: Mode = Mode.BASELINE
    window_samples: int = 9
    sigma: float = 3.0
    min_ratio: float = 1.5
    min_delta_ms: Mapping[Metric, float] = field(default_factory=lambda: dict(MIN_DELTA_MS))
    baseline_days: int = 14
    min_samples: int = 20
    static_limits: Mapping[Metric, float] = field(default_factory=dict)


Errors = dict[str, list[str]]
Choice = TypeVar("Choice", bound=StrEnum)

WHOLE_NUMBERS: dict[str, tuple[int, int]] = {
    "window_samples": (5, 100),
    "baseline_days": (1, 90),
    # What is usual is learned from 4,032 samples at most: with more a rule would learn for ever.
    "min_samples": (5, 3_900),
}
NUMBERS: dict[str, tuple[float, float]] = {"sigma": (1.0, 20.0), "min_ratio": (1.0, 20.0)}
DELTA_RANGE = (0.0, 600_000.0)
STATIC_RANGE = (0.001, 3_600_000.0)
OTHERS = ("sensitivity", "mode", "metrics", "min_delta_ms", "static_threshold")
KNOWN = frozenset([*WHOLE_NUMBERS, *NUMBERS, *OTHERS])


def parse_threshold_config(raw: object) -> DegradationConfig | Errors:
    """The configuration, or what is wrong with it by field. None and {} are the defaults.

    A plain number as ``min_delta_ms`` is for TTFT and latency, whose ms are alike; for tps only
    when nothing else is judged. A plain ``static_threshold`` needs a single metric; the one of
    tps is the least tokens/s allowed.
    """
    if raw is None:
        return DegradationConfig()
    if not isinstance(raw, Mapping):
        return {"threshold_config": ["Must be an object."]}
    reader = _Reader(raw)
    config = reader.config()
    return reader.errors or config


class _Reader:
    """Reads one field after the other and remembers what was wrong."""

    def __init__(self, raw: Mapping[Any, Any]) -> None:
        self.raw = raw
        self.errors: Errors = {}

    def config(self) -> DegradationConfig:
        self._refuse_unknown()
        preset = PRESETS[self._choice("sensitivity", Sensitivity, Sensitivity.MEDIUM)]
        mode = self._choice("mode", Mode, Mode.BASELINE)
        metrics = self._metrics()
        static = self._static_limits(mode, metrics)
        defaults = DegradationConfig()
        return DegradationConfig(
            metrics=tuple(static) if static else metrics,
            mode=mode,
            window_samples=self._whole("window_samples", defaults.window_samples),
            sigma=self._number("sigma", preset.sigma),
            min_ratio=self._number("min_ratio", preset.min_ratio),
            min_delta_ms=self._deltas(metrics, preset.delta_scale),
            baseline_days=self._whole("baseline_days", defaults.baseline_days),
            min_samples=self._whole("min_samples", defaults.min_samples),
            static_limits=static,
        )

    def _fail(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)

    def _refuse_unknown(self) -> None:
        for name in self.raw:
            if name not in KNOWN:
                self._fail(_printable(name), "This field does not exist.")

    def _choice(self, name: str, kind: type[Choice], default: Choice) -> Choice:
        given = self.raw.get(name, default)
        if isinstance(given, str) and given in set(kind):
            return kind(given)
        self._fail(name, f"Must be one of: {', '.join(kind)}.")
        return default

    def _metrics(self) -> tuple[Metric, ...]:
        given = self.raw.get("metrics", list(Metric))
        if isinstance(given, list) and given and all(_is_metric(item) for item in given):
            return tuple(metric for metric in Metric if metric in given)
        self._fail("metrics", f"Must be a list of one or more of: {', '.join(Metric)}.")
        return tuple(Metric)

    def _whole(self, name: str, default: int) -> int:
        low, high = WHOLE_NUMBERS[name]
        given = self.raw.get(name, default)
        if isinstance(given, int) and not isinstance(given, bool) and low <= given <= high:
            return given
        self._fail(name, f"Must be a whole number from {low} to {high}.")
        return default

    def _number(self, name: str, default: float) -> float:
        return self._in_range(name, self.raw.get(name, default), NUMBERS[name])

    def _in_range(self, name: str, given: object, limits: tuple[float, float]) -> float:
        low, high = limits
        if isinstance(given, int | float) and not isinstance(given, bool) and low <= given <= high:
            return float(given)
        self._fail(name, f"Must be a number from {low:g} to {high:,.0f}.")
        return high

    def _deltas(self, metrics: tuple[Metric, ...], scale: float) -> dict[Metric, float]:
        deltas = {metric: delta * scale for metric, delta in MIN_DELTA_MS.items()}
        if "min_delta_ms" not in self.raw:
            return deltas
        named = metrics if len(metrics) == 1 else (Metric.TTFT, Metric.LATENCY)
        return {**deltas, **self._by_metric("min_delta_ms", named, DELTA_RANGE)}

    def _static_limits(self, mode: Mode, metrics: tuple[Metric, ...]) -> dict[Metric, float]:
        name = "static_threshold"
        if mode is Mode.BASELINE:
            if name in self.raw:
                self._fail(name, "Only the mode static has a static threshold.")
            return {}
        if name not in self.raw:
            self._fail(name, "The mode static needs a static threshold.")
            return {}
        if not isinstance(self.raw[name], Mapping) and len(metrics) > 1:
            self._fail(name, "One number needs one metric in metrics; else give one for each.")
            return {}
        limits = self._by_metric(name, metrics, STATIC_RANGE)
        if "metrics" in self.raw and set(limits) != set(metrics):
            self._fail(name, "Must give a number for every metric in metrics and for no other.")
        return {metric: _upwards(metric, limit) for metric, limit in limits.items()}

    def _by_metric(
        self, name: str, metrics: tuple[Metric, ...], limits: tuple[float, float]
    ) -> dict[Metric, float]:
        """A number for each of ``metrics``, or an object that names them itself."""
        given = self.raw[name]
        if not isinstance(given, Mapping):
            number = self._in_range(name, given, limits)
            return dict.fromkeys(metrics, number)
        if not given or not all(_is_metric(key) for key in given):
            self._fail(name, f"Must name one or more of: {', '.join(Metric)}.")
            return {}
        return {m: self._in_range(name, given[m], limits) for m in Metric if m in given}


def _is_metric(value: object) -> bool:
    return isinstance(value, str) and value in set(Metric)


def _printable(name: object) -> str:
    return str(name)[:100].encode("utf-8", "replace").decode()


def _upwards(metric: Metric, limit: float) -> float:
    return MILLISECONDS_PER_S / limit if metric is Metric.TPS else limit
