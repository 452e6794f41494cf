"""How numbers, times and codes are written on the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import floor
from typing import Any, Literal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alerts.messages import duration
from arguslm.dashboard import words
from arguslm.dashboard.troubles import Since
from monitoring.summaries import Uptime
from providers.catalog import CATALOG
from providers.statistics.intervals import Interval
from providers.statistics.summary import Percentile, Summary

register = template.Library()
UNKNOWN = "–"  # noqa: RUF001 - an en dash is meant


# A template reads a field of a row that is not there as "".
Absent = Literal[""] | None


@register.filter
def figure(value: float | Absent) -> str:
    """Three digits that matter: 3.41, 34.1, 341, 3,412."""
    if value is None or value == "":
        return UNKNOWN
    size = abs(value)
    return f"{value:,.{2 if size < 10 else 1 if size < 100 else 0}f}"


@register.filter
def count(number: int) -> str:
    return f"{number:,}"


@register.filter
def give_or_take(uncertainty_ms: float | Absent) -> str:
    if uncertainty_ms is None or uncertainty_ms == "":
        return ""
    if uncertainty_ms < 0.05:
        return "±<0.1"
    return f"±{uncertainty_ms:,.{1 if uncertainty_ms < 10 else 0}f}"


@register.filter
def percent(share: float | None) -> str:
    """Cut off, not rounded: one failure in a million checks is not 100 %."""
    if share is None:
        return UNKNOWN
    return f"{_hundredths(share)} %"


def _hundredths(share: float) -> str:
    hundredths = floor(share * 10_000 + 1e-9)
    return f"{hundredths / 100:.{0 if hundredths % 100 == 0 else 2}f}"


@register.filter
def percents(interval: Interval | None) -> str:
    """An interval of shares, outer bounds: 94.5 to 99.9 %."""
    if interval is None:
        return ""
    return f"{interval.low * 100:.1f}–{interval.high * 100:.1f}"  # noqa: RUF001 - a range


@register.filter
def bounds(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{figure(interval.low)}–{figure(interval.high)}"  # noqa: RUF001 - a range


@register.filter
def dollars(amount: Decimal | None) -> str:
    return UNKNOWN if amount is None else f"${amount:,.6f}".rstrip("0").rstrip(".")


@register.filter
def uptime_note(uptime: Uptime) -> str:
    if uptime.interval is None:
        return "No check in this time says anything about the provider."
    low, high = percent(uptime.interval.low), percent(uptime.interval.high)
    left_out = f" Left out: {uptime.excluded} with a fault on our side." if uptime.excluded else ""
    checks = f"{uptime.available} of {uptime.n} checks were answered"
    return f"{checks}; 95 % interval {low} to {high}.{left_out}"


@register.filter
def tail(sample: Summary, percent: int) -> Percentile | None:
    """None where fewer than five values make any percentile a pretence."""
    return None if sample.indicative else sample.percentile(percent)


@register.filter
def cause(error_class: str | None) -> str:
    return words.ERRORS.get(error_class or "", error_class or "")


@register.filter
def flag_name(flag: str) -> str:
    return words.FLAGS.get(flag, (flag, ""))[0]


@register.filter
def flag_note(flag: str) -> str:
    return words.FLAGS.get(flag, (flag, ""))[1]


@register.filter
def rule_name(rule_type: str) -> str:
    return words.RULE_TYPES.get(rule_type, (rule_type, ""))[0]


@register.filter
def provider_name(provider_type: str) -> str:
    spec = CATALOG.get(provider_type)
    return spec.label if spec else provider_type


@register.filter
def spaced(code: str) -> str:
    return code.replace("_", " ")


@register.filter
def weekdays(days: Iterable[int]) -> str:
    return ", ".join(words.WEEKDAYS[day] for day in sorted(days))


@register.filter
def lasting(start: datetime, end: datetime) -> str:
    return duration(end - start)


@register.filter
def minutes(number: int | None) -> str:
    return duration(timedelta(minutes=number)) if number else ""


@register.filter
def of(mapping: Mapping[str, Any] | Literal[""], key: str) -> Any:
    return mapping.get(key, "") if mapping else ""


@register.simple_tag
def moment(at: datetime | Absent, missing: str = UNKNOWN) -> SafeString | str:
    """The exact time; the page's script shows how long ago it was."""
    return _time(at, "", missing)


@register.simple_tag
def clock(at: datetime | Absent, missing: str = UNKNOWN) -> SafeString | str:
    """The exact time, which the page's script shows in the reader's time zone."""
    return _time(at, "exact", missing)


@register.simple_tag
def age(at: datetime | Absent, missing: str = UNKNOWN) -> SafeString | str:
    """How long something has lasted, by the page's script."""
    return _time(at, "age", missing, "since ")


@register.simple_tag
def since(found: Since) -> SafeString | str:
    """As `age`, for what may have begun before we looked."""
    if found.is_earlier:
        return _time(found.at, "over", UNKNOWN, "since before ")
    return age(found.at)


def _time(at: datetime | Absent, kind: str, missing: str, word: str = "") -> SafeString | str:
    if at is None or at == "":
        return missing
    utc = at.astimezone(UTC)
    exact = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    iso = utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shape = format_html(' data-as="{}"', kind) if kind else ""
    return format_html(
        '<time datetime="{}"{} title="{}">{}{}</time>', iso, shape, exact, word, exact
    )
