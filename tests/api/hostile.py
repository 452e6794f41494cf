"""What a client may send by mistake, and what an answer to it must look like."""

from __future__ import annotations

from typing import Any

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"name": ',
    "NaN": b'{"name": NaN, "display_name": NaN, "interval_minutes": NaN, "custom_name": NaN}',
    "infinity": b'{"metadata": {"x": 1e999}, "credentials": {"x": 1e999}, "num_runs": 1e999}',
    "a list": b"[1, 2]",
    "a text": b'"text"',
    "null": b"null",
    "latin-1": b'{"name": "\xe9"}',
    "a lone surrogate": b'{"name": "\\ud800", "custom_name": "\\ud800", "display_name": "\\udfff"}',
    "a null character": b'{"name": "a\\u0000b", "custom_name": "\\u0000"}',
    "a hundred thousand brackets": b"[" * 100_000,
    "a number of 5,000 digits": b'{"name": ' + b"9" * 5000 + b"}",
    "an unknown field": b'{"nmae": "typo"}',
}
WRONG_VALUES: list[Any] = [None, 1, -1, 1.5, True, [], {}, "", " ", "x" * 10_001, 10**30]
ODD_VALUES: list[Any] = [
    *WRONG_VALUES,
    *[False, 0, 1e308, -1e308, 10**400, "x", "a\x1b[31mb", "a\nb", "not-a-uuid", "\U0001f600", "%"],
    *["00000000-0000-0000-0000-000000000000", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"],
    *["2026-13-45T99:99:99Z", [None], [[]], ["x"] * 500, {"a": {}}, {"": ""}, {"$ne": 1}],
]
ODD_PARAMETERS = [
    *["", "x", "-1", "0", "1.5", "9" * 5000, "9223372036854775808", "NaN", "null", "true", "%00"],
    *["%ED%A0%80", "%FF", "x" * 10_000, "not-a-uuid", "00000000-0000-0000-0000-000000000000"],
    *["2026-01-01", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "[]", "%F0%9F%98%80"],
    *["9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z"],
]
LARGEST_ERROR = 30_000


def is_sentence(answer: Any) -> bool:
    """Whether it is the error that the API promises: a sentence, and sentences by field."""
    body = answer.json()
    lists = body["errors"].values()
    return (
        set(body) == {"detail", "errors"}
        and len(body["detail"]) > 10
        and all(isinstance(text, str) for texts in lists for text in texts)
        and len(answer.content) < LARGEST_ERROR
    )
