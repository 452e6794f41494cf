from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, JSONParser

MAX_DEPTH = 32


def _no_constant(name: str) -> None:
    raise ParseError(f"The body is not valid JSON: {name} is not a JSON number.")


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it, and only what every database of ours can store."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return _read(stream.read().decode("utf-8"))
        except ValueError as exc:
            raise ParseError(f"The body is not valid JSON: {exc}") from exc


class JSONLinesParser(BaseParser):
    """One JSON value on each line; empty lines are left out."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            # Files that were written on Windows often begin with a byte order mark.
            lines = stream.read().decode("utf-8-sig").split("\n")
        except ValueError as exc:
            raise ParseError("The body is not UTF-8.") from exc
        return [_line(n, line) for n, line in enumerate(lines, 1) if line.strip()]


class JSONLParser(JSONLinesParser):
    """The same under the name that most tools know."""

    media_type = "application/jsonl"


def _line(number: int, text: str) -> Any:
    try:
        return _read(text)
    except ValueError as exc:
        raise ParseError(f"Line {number} is not valid JSON: {exc}") from exc


def _read(text: str) -> Any:
    """Raises ValueError for what is not JSON, ParseError for what we do not take."""
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except RecursionError as exc:
        raise ParseError("The body is nested too deeply.") from exc
    _refuse_unstorable(data, MAX_DEPTH)
    return data


def _refuse_unstorable(value: Any, depth: int) -> None:
    if depth == 0:
        raise ParseError("The body is nested too deeply.")
    if isinstance(value, str):
        _refuse_text(value)
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise ParseError("The body holds a number too large to store.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_text(key)
            _refuse_unstorable(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable(item, depth - 1)


def _refuse_text(text: str) -> None:
    if "\x00" in text:
        raise ParseError("The body holds a null character, which cannot be stored.")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ParseError("The body holds half of a surrogate pair, which is not text.")
