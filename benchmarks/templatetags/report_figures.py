"""Figures of a report in words: unknown is a dash, doubtful has a ~ in front."""

from __future__ import annotations

from typing import Any

from django import template

from providers.statistics.comparison import VerdictState

register = template.Library()
UNKNOWN = "-"
# Of many models one in a hundred would seem to drift by chance.
NOTABLE_DRIFT = 0.01
FACTOR_FROM = 2.0


@register.simple_tag
def figure(value: float | str | None) -> str:
    # A template gives the empty text for a member of what is itself unknown.
    if value is None or isinstance(value, str):
        return UNKNOWN
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


@register.simple_tag
def middle(spread: dict[str, Any]) -> str:
    """The median with its interval, as far as there are enough values."""
    text = figure(spread["p50"])
    interval = spread["median_interval"]
    if interval is None:
        return f"~{text}" if spread["n"] else text
    return f"{text} [{figure(interval['low'])} to {figure(interval['high'])}]"


@register.simple_tag
def tail(spread: dict[str, Any], percent: str) -> str:
    """A percentile, with its interval as soon as the sample is large enough to have one."""
    text = figure(spread[percent])
    interval = spread["tail_intervals"][percent]
    if interval is not None:
        return f"{text} [{figure(interval['low'])} to {figure(interval['high'])}]"
    return text if spread["reliable"][percent] or not spread["n"] else f"~{text}"


@register.simple_tag
def failures(model: dict[str, Any]) -> str:
    """How many failed, and of what."""
    classes = [f"{count} {name}" for name, count in model["error_classes"].items()]
    return ", ".join(classes) or "0"


@register.simple_tag
def drifted(drift: dict[str, float] | None) -> str:
    """The change from the first half of a run to the second, where it is one."""
    if drift is None:
        return UNKNOWN
    if drift["p"] > NOTABLE_DRIFT:
        return "no"
    return f"{(drift['ratio'] - 1) * 100:+.3g} %"


@register.simple_tag
def change(ratio: float | str | None, interval: dict[str, float] | str | None = None) -> str:
    """A ratio with its interval, as a change; a large one reads better as a factor."""
    if not isinstance(ratio, float) or not isinstance(interval, dict):
        return UNKNOWN
    ends = (interval["low"], interval["high"])
    if ratio >= FACTOR_FROM:
        return f"{ratio:.3g} times [{ends[0]:.3g} to {ends[1]:.3g}]"
    value, low, high = ((one - 1) * 100 for one in (ratio, *ends))
    return f"{value:+.3g} % [{low:+.3g} to {high:+.3g}]"


@register.simple_tag
def rate(found: dict[str, Any]) -> str:
    """A share with its interval."""
    interval = found["interval"]
    if interval is None:
        return UNKNOWN
    low, high = (f"{interval[end] * 100:.0f}" for end in ("low", "high"))
    return f"{percent(found['rate'])} [{low} to {high}]"


@register.filter
def p_value(p: float | None) -> str:
    if p is None:
        return UNKNOWN
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


@register.simple_tag
def remarks(verdict: dict[str, Any]) -> str:
    """What the figures beside it do not say themselves."""
    is_plain = verdict["state"] in (VerdictState.FASTER, VerdictState.SLOWER)
    return " ".join([*([] if is_plain else [verdict["reason"]]), *verdict["cautions"]])


@register.filter
def percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value * 100:.3g} %"


@register.filter
def words(state: str) -> str:
    return state.replace("_", " ")
