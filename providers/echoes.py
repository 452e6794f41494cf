"""Secrets as they come back: as they are, encoded, in pieces or run together with other text."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"
# A run this long that a text shares with a secret, punctuation aside, is no coincidence; with
# digits among its letters, as keys have them and words do not, a shorter one is none either.
LONG_PART, MIXED_PART = 12, 8

_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_MASKED = re.compile(r"[A-Za-z0-9_-]{2,}(?:\*{2,}|\.{3,}|…+|•{2,}|[xX]{4,})[A-Za-z0-9_-]{0,12}")


def conceal(text: str, secrets: Iterable[str]) -> str:
    """``text`` as it is, but for whole secrets in it, plain or encoded."""
    for form in _forms(tuple(secrets)):
        if form in text:
            text = text.replace(form, HIDDEN)
    return text


def holds_secret(text: str, secrets: Iterable[str]) -> bool:
    return any(form in text for form in _forms(tuple(secrets)))


def conceal_parts(line: str, secrets: Sequence[str]) -> str:
    """``line`` without secrets, without what a provider left of them when it masked them, and
    without any longer piece of them, wherever spaces and punctuation were put between."""
    line = conceal(line, secrets)
    line = _MASKED.sub(lambda found: _hide_masked(found.group(), secrets), line)
    return _without_pieces(line, tuple(secrets))


def _hide_masked(echo: str, secrets: Sequence[str]) -> str:
    """A provider that masks what it echoes keeps the ends: "sk-ab***yz", "sk-a...9f2c"."""
    head = re.match(r"[A-Za-z0-9_-]*", echo)
    start = head.group() if head else ""
    return HIDDEN if any(secret.startswith(start) for secret in secrets) else echo


@lru_cache(maxsize=512)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Every spelling of every secret, the longest first."""
    return tuple(sorted({form for s in secrets if s for form in _spellings(s)}, key=_by_length))


def _by_length(form: str) -> tuple[int, str]:
    return -len(form), form


def _spellings(secret: str) -> set[str]:
    data = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(data, safe=""), quote(data), quote_plus(data)}
    quoted |= {_ESCAPE.sub(lambda found: found[0].lower(), form) for form in quoted}
    as_json = json.dumps(secret)[1:-1]
    forms = {secret, *quoted, as_json, as_json.replace("/", "\\/"), html.escape(secret)}
    return {*forms, data.hex(), data.hex().upper(), *_base64_spellings(data)}


def _base64_spellings(data: bytes) -> set[str]:
    """What Base64 makes of the bytes wherever they stand in a longer text: it takes three at a
    time, so there are three ways, of which the letters shared with a neighbour are left out."""
    forms = set()
    for lead in range(3):
        encoded = base64.b64encode(bytes(lead) + data).decode()
        inner = encoded[-(-8 * lead // 6) : 8 * (lead + len(data)) // 6]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


@lru_cache(maxsize=512)
def _pieces(secrets: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The long and the mixed runs of letters and digits in the spellings of the secrets."""
    compact = {"".join(filter(str.isalnum, form)) for form in _forms(secrets)}
    long = {run for form in compact for run in _runs(form, LONG_PART)}
    mixed = {run for form in compact for run in _runs(form, MIXED_PART) if _is_mixed(run)}
    return frozenset(long), frozenset(mixed)


def _runs(text: str, length: int) -> list[str]:
    return [text[i : i + length] for i in range(len(text) - length + 1)]


def _is_mixed(run: str) -> bool:
    return any(map(str.isdigit, run)) and any(map(str.isalpha, run))


def _without_pieces(line: str, secrets: tuple[str, ...]) -> str:
    places = [place for place, letter in enumerate(line) if letter.isalnum()]
    compact = "".join([line[place] for place in places])
    spans: list[tuple[int, int]] = []
    for length, known in zip((LONG_PART, MIXED_PART), _pieces(secrets), strict=True):
        for i, run in enumerate(_runs(compact, length)) if known else ():
            if run in known:
                spans.append((places[i], places[i + length - 1] + 1))
    return _cut_out(line, sorted(spans))


def _cut_out(line: str, spans: list[tuple[int, int]]) -> str:
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        if start >= end:
            kept += [line[end:start], HIDDEN]
        end = max(end, stop)
    return "".join([*kept, line[end:]])
