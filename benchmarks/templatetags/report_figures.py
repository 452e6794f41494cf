"""Figures of a report in words: unknown is a dash, doubtful has a ~ in front."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()
UNKNOWN = "-"


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
    text = figure(spread[percent])
    return text if spread["reliable"][percent] or not spread["n"] else f"~{text}"


@register.simple_tag
def share(goodput: dict[str, Any] | None) -> str:
    return UNKNOWN if goodput is None else percent(goodput["attainment"]["rate"])


@register.filter
def percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value * 100:.3g} %"


@register.filter
def words(state: str) -> str:
    return state.replace("_", " ")
