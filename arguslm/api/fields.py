"""Serializer fields that take JSON types at their word: `"5"` is no number, `1` is no text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_LOST_PLUS = re.compile(r" (\d{2}:?\d{2})$")


class Text(serializers.CharField):
    """One line: names end up in log lines, mail subjects and terminals."""

    allowed_controls = ""
    default_error_messages = {"control": "Must not hold line breaks or other control characters."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = str(super().to_internal_value(data))
        if any(is_control(char) and char not in self.allowed_controls for char in text):
            self.fail("control")
        return text


class Lines(Text):
    """Text of any number of lines."""

    allowed_controls = "\t\n\r"
    default_error_messages = {"control": "Must not hold control characters but line breaks."}


def is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char < "\xa0"


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Amount(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            return float(data)
        except OverflowError:
            self.fail("invalid")


class Id(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        found = super().to_internal_value(data)
        assert isinstance(found, UUID)
        return found


class Choice(serializers.ChoiceField):
    default_error_messages = {"invalid_choice": "Must be one of: {choices}."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", choices=", ".join(map(str, self.choices)))
        return data


class Document(serializers.DictField):
    """A JSON object of any content, bounded in size."""

    max_characters = 65_536
    default_error_messages = {"too_large": "Must be at most {limit} characters of JSON."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().to_internal_value(data)
        if len(repr(found)) > self.max_characters:
            self.fail("too_large", limit=self.max_characters)
        return found


class Moment(serializers.DateTimeField):
    """A time. In a query string a `+` arrives as a blank: it is read as the `+` it was.

    Times that stand for "always" or "never" (year 1, year 9999) leave room to reckon with them.
    """

    default_error_messages = {
        "invalid": "Must be a time in ISO 8601, for example 2026-01-31T12:00:00Z."
    }

    def to_internal_value(self, value: Any) -> datetime:
        text = _LOST_PLUS.sub(r"+\1", value) if isinstance(value, str) else value
        found = super().to_internal_value(text)
        assert isinstance(found, datetime)
        return min(max(found, EARLIEST), LATEST)
