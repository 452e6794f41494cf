"""Contrast as WCAG 2 asks for it, computed from the style sheets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLES = Path(__file__).resolve().parents[2] / "arguslm" / "dashboard" / "static" / "dashboard"


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TOKENS = dict(
    re.findall(
        r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)",
        (STYLES / "tokens.css").read_text("utf-8"),
    )
)
TEXT = ("ink", "muted", "accent", "good", "warn", "bad")
GROUNDS = ("ground", "sheet", "hover", "good-soft", "warn-soft", "bad-soft", "accent-soft")
PAIRS = [(text, ground, 4.5) for text in TEXT[:2] for ground in GROUNDS]
PAIRS += [(text, ground, 4.5) for text in TEXT for ground in ("ground", "sheet", "hover")]
PAIRS += [("accent-ink", "accent", 4.5), ("bad-ink", "bad", 4.5)]
PAIRS += [(mark, "sheet", 3.0) for mark in ("edge", "idle", "good", "warn", "bad")]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_text_and_marks_stand_out_from_their_ground(
    text: str, ground: str, least: float, scheme: int
) -> None:
    colours = [TOKENS[name].split(", ")[scheme] for name in (text, ground)]
    assert contrast(*colours) >= least


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_curves_of_a_plot_stand_out(scheme: int) -> None:
    plots = (STYLES / "plots.css").read_text("utf-8")
    curves = re.findall(r"\.s\d \{ stroke: (#\w{6}); \}", plots)
    assert len(set(curves)) == 8
    sheet = TOKENS["sheet"].split(", ")[scheme]
    assert min(contrast(curve, sheet) for curve in curves) >= 3


def test_colours_are_named_in_one_place() -> None:
    for sheet in STYLES.glob("*.css"):
        text = sheet.read_text("utf-8")
        found = re.findall(r"#[0-9a-f]{3,8}\b", text)
        assert sheet.name in ("tokens.css", "plots.css") or not found, (sheet.name, found)
