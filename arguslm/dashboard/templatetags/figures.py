"""How numbers, times and codes are written on the pages."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from math import floor
from typing import Literal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from arguslm.dashboard import words
from arguslm.dashboard.sparkline import Beat, Sparkline
from arguslm.dashboard.sparkline import sparkline as drawn
from monitoring.summaries import Uptime

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
    hundredths = floor(share * 10_000 + 1e-9)
    return f"{hundredths / 100:.{0 if hundredths % 100 == 0 else 2}f} %"


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
def reason(code: str) -> str:
    return code.replace("_", " ")


@register.simple_tag
def moment(at: datetime | Absent, missing: str = UNKNOWN) -> SafeString | str:
    """The exact time; the page's script shows how long ago it was."""
    if at is None or at == "":
        return missing
    utc = at.astimezone(UTC)
    exact = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    iso = utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, exact, exact)


@register.inclusion_tag("dashboard/_sparkline.html")
def sparkline(beats: tuple[Beat, ...]) -> dict[str, Sparkline]:
    return {"spark": drawn(beats)}


@register.inclusion_tag("dashboard/_status.html")
def status(name: str, error_class: str | None = None) -> dict[str, str]:
    return {"name": name, "cause": cause(error_class)}
