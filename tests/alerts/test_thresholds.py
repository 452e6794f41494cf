from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.thresholds import DegradationConfig, Metric, Mode, parse_threshold_config

TTFT, LATENCY, TPS = Metric.TTFT, Metric.LATENCY, Metric.TPS

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "metrics",
    "mode",
    "sensitivity",
    "window_samples",
    "sigma",
    "min_ratio",
    "min_delta_ms",
    "baseline_days",
    "min_samples",
    "static_threshold",
]


def parsed(raw: object) -> DegradationConfig:
    config = parse_threshold_config(raw)
    assert isinstance(config, DegradationConfig), config
    return config


def errors(raw: object) -> dict[str, list[str]]:
    found = parse_threshold_config(raw)
    assert isinstance(found, dict), found
    return found


@pytest.mark.parametrize("raw", [None, {}, {"sensitivity": "medium"}, {"mode": "baseline"}])
def test_nothing_said_means_the_defaults(raw: object) -> None:
    config = parsed(raw)

    assert config == DegradationConfig()
    assert config.metrics == (TTFT, LATENCY, TPS)
    assert (config.window_samples, config.sigma, config.min_ratio) == (9, 3.0, 1.5)
    assert (config.baseline_days, config.min_samples) == (14, 20)
    assert config.min_delta_ms == {TTFT: 100.0, LATENCY: 250.0, TPS: 8.0}


def test_every_field_can_be_set() -> None:
    config = parsed(
        {
            "metrics": ["latency_ms", "ttft_ms"],
            "window_samples": 15,
            "sigma": 2,
            "min_ratio": 1.2,
            "min_delta_ms": 50,
            "baseline_days": 7,
            "min_samples": 30,
        }
    )

    assert config == DegradationConfig(
        metrics=(TTFT, LATENCY),
        window_samples=15,
        sigma=2.0,
        min_ratio=1.2,
        min_delta_ms={TTFT: 50.0, LATENCY: 50.0, TPS: 8.0},
        baseline_days=7,
        min_samples=30,
    )


@pytest.mark.parametrize(
    ("sensitivity", "sigma", "ratio", "delta"),
    [("low", 4.0, 2.0, 200.0), ("medium", 3.0, 1.5, 100.0), ("high", 2.5, 1.3, 50.0)],
)
def test_a_sensitivity_is_a_set_of_defaults(
    sensitivity: str, sigma: float, ratio: float, delta: float
) -> None:
    config = parsed({"sensitivity": sensitivity})

    assert (config.sigma, config.min_ratio, config.min_delta_ms[TTFT]) == (sigma, ratio, delta)
    assert parsed({"sensitivity": sensitivity, "sigma": 5}).sigma == 5.0


@pytest.mark.parametrize(
    ("raw", "deltas"),
    [
        ({"min_delta_ms": 10}, (10.0, 10.0, 8.0)),
        ({"min_delta_ms": 3, "metrics": ["tps"]}, (100.0, 250.0, 3.0)),
        ({"min_delta_ms": {"tps": 3, "ttft_ms": 0}}, (0.0, 250.0, 3.0)),
        ({"min_delta_ms": {"tps": 3}, "sensitivity": "low"}, (200.0, 500.0, 3.0)),
    ],
)
def test_a_minimum_delta_is_one_number_or_one_for_each_metric(
    raw: dict[str, Any], deltas: tuple[float, float, float]
) -> None:
    assert tuple(parsed(raw).min_delta_ms[metric] for metric in Metric) == deltas


@pytest.mark.parametrize(
    ("raw", "limits"),
    [
        ({"metrics": ["ttft_ms"], "static_threshold": 1500}, {TTFT: 1500.0}),
        ({"metrics": ["tps"], "static_threshold": 20}, {TPS: 50.0}),
        ({"static_threshold": {"tps": 10, "latency_ms": 9000}}, {LATENCY: 9000.0, TPS: 100.0}),
        ({"metrics": ["ttft_ms"], "static_threshold": {"ttft_ms": 5}}, {TTFT: 5.0}),
    ],
)
def test_a_static_threshold_names_its_metrics(
    raw: dict[str, Any], limits: dict[Metric, float]
) -> None:
    config = parsed({"mode": "static", **raw})

    assert config.mode is Mode.STATIC
    assert config.static_limits == limits
    assert config.metrics == tuple(limits)


@pytest.mark.parametrize("raw", [[], "x", 3, True, math.nan])
def test_a_configuration_is_an_object(raw: object) -> None:
    assert errors(raw) == {"threshold_config": ["Must be an object."]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("treshold", 1),
        ("", 1),
        ("\ud800", 1),
        ("metrics", []),
        ("metrics", "ttft_ms"),
        ("metrics", ["ttft"]),
        ("metrics", ["ttft_ms", 3]),
        ("metrics", [["ttft_ms"]]),
        ("metrics", None),
        ("mode", "auto"),
        ("mode", 1),
        ("mode", ["static"]),
        ("sensitivity", "HIGH"),
        ("sensitivity", {}),
        ("window_samples", 4),
        ("window_samples", 101),
        ("window_samples", 9.0),
        ("window_samples", "9"),
        ("window_samples", True),
        ("window_samples", None),
        ("window_samples", 10**400),
        ("baseline_days", 0),
        ("baseline_days", 91),
        ("min_samples", 4),
        ("min_samples", 3_901),
        ("sigma", 0.9),
        ("sigma", -3),
        ("sigma", math.nan),
        ("sigma", math.inf),
        ("sigma", "3"),
        ("sigma", False),
        ("sigma", 10**400),
        ("min_ratio", 0.99),
        ("min_ratio", 21),
        ("min_delta_ms", -1),
        ("min_delta_ms", math.nan),
        ("min_delta_ms", "100"),
        ("min_delta_ms", [100]),
        ("min_delta_ms", {}),
        ("min_delta_ms", {"ttft": 100}),
        ("min_delta_ms", {"ttft_ms": None}),
        ("min_delta_ms", {"ttft_ms": -1}),
        ("static_threshold", 100),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    found = errors({field: value})

    assert list(found) == [field.encode("utf-8", "replace").decode()]
    assert all(message.endswith(".") for message in next(iter(found.values())))
    json.dumps(found).encode()


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"static_threshold": 100},
        {"static_threshold": 100, "metrics": ["ttft_ms", "tps"]},
        {"static_threshold": 0, "metrics": ["tps"]},
        {"static_threshold": -5, "metrics": ["tps"]},
        {"static_threshold": math.nan, "metrics": ["tps"]},
        {"static_threshold": {}},
        {"static_threshold": {"speed": 3}},
        {"static_threshold": {"ttft_ms": 3}, "metrics": ["tps"]},
        {"static_threshold": {"ttft_ms": 3}, "metrics": ["ttft_ms", "tps"]},
        {"static_threshold": None, "metrics": ["tps"]},
    ],
)
def test_a_static_rule_needs_a_clear_threshold(raw: dict[str, Any]) -> None:
    assert list(errors({"mode": "static", **raw})) == ["static_threshold"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = errors({"sigma": -1, "mode": "x", "colour": "red", "window_samples": 1})

    assert found == {
        "colour": ["This field does not exist."],
        "mode": ["Must be one of: baseline, static."],
        "window_samples": ["Must be a whole number from 5 to 100."],
        "sigma": ["Must be a number from 1 to 20."],
    }


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), anything, max_size=5))
def test_whatever_is_sent_is_either_usable_or_explained(raw: dict[str, Any]) -> None:
    found = parse_threshold_config(raw)

    if isinstance(found, DegradationConfig):
        assert set(found.static_limits) == set(found.metrics if found.mode is Mode.STATIC else [])
        assert all(math.isfinite(limit) for limit in found.static_limits.values())
    else:
        assert all(found.values())
