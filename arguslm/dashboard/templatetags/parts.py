"""Parts of pages that come again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from arguslm.dashboard import words
from arguslm.dashboard.sparkline import HEIGHT, WIDTH, Beat
from arguslm.dashboard.sparkline import sparkline as drawn
from arguslm.dashboard.templatetags.figures import cause

register = template.Library()

# These two stand in every row of the overview: a template each would cost half of its time.


@register.simple_tag
def sparkline(beats: Sequence[Beat]) -> SafeString:
    spark = drawn(beats)
    failures = format_html_join(
        "", '<path class="fail" d="M{} 17v6"/>', ((x,) for x in spark.failures)
    )
    line = format_html('<path class="line" d="{}"/>', spark.line) if spark.line else ""
    last = (
        format_html('<circle class="dot" cx="{}" cy="{}" r="2"/>', *spark.last)
        if spark.last
        else ""
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img">'
        "<title>{}</title>{}{}{}</svg>",
        WIDTH, HEIGHT, WIDTH, HEIGHT, spark.label, line, failures, last,
    )  # fmt: skip


@register.simple_tag
def status(name: str, error_class: str | None = None) -> SafeString:
    word = words.STATES.get(name, name)
    why = format_html('<span class="cause">{}</span>', cause(error_class)) if error_class else ""
    return format_html(
        '<span class="status {}"><span class="mark" aria-hidden="true"></span>{}{}</span>',
        name, word, why,
    )  # fmt: skip


@register.inclusion_tag("dashboard/_switch.html")
def switch(
    kind: str, pk: Any, field: str, is_on: bool, label: str, confirm: str = ""
) -> dict[str, Any]:
    """Turns a flag of the API's row `kind/pk` on or off; `confirm` is asked before it goes off."""
    place = f"{kind}/{pk}" if pk else kind
    return {
        "url": f"/api/v1/{place}",
        "id": f"{field}-{place}".replace("/", "-"),
        "field": field,
        "is_on": is_on,
        "label": label,
        "confirm": confirm if is_on else "",
    }


@register.inclusion_tag("dashboard/_sort.html", takes_context=True)
def sort_by(
    context: template.Context, key: str, label: str, first: str = "", unit: str = ""
) -> dict[str, Any]:
    """The head of a column that can be sorted; `first` is the order of the first click."""
    now = context["asked"].sort
    other = {"-": "", "": "-"}[first]
    wanted = other + key if now == first + key else first + key
    order = {key: "ascending", f"-{key}": "descending"}.get(now)
    return {
        "label": label,
        "unit": unit,
        "wanted": wanted,
        "order": order,
        "request": context["request"],
    }
