"""What a chunk of a stream can say, the same for every wire."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from providers.adapters.sse import SseEvent


@dataclass(frozen=True, slots=True)
class Content:
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A part of a tool call: its name or a slice of its arguments."""

    text: str


@dataclass(frozen=True, slots=True)
class Role:
    """Who speaks; carries no content."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Keeps the connection alive; carries no content."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts so far. ``input`` includes cached tokens, ``output`` includes reasoning."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    reason: str


@dataclass(frozen=True, slots=True)
class StreamError:
    """The provider reports a failure inside the stream."""

    message: str


@dataclass(frozen=True, slots=True)
class Garbled:
    """An event that is not what the wire promises."""

    excerpt: str


@dataclass(frozen=True, slots=True)
class Named:
    """The model that says it answers, and the fingerprint of its backend."""

    model: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The wire's own end marker."""


Event = (
    Content
    | Reasoning
    | ToolCall
    | Role
    | Ping
    | Usage
    | Finish
    | StreamError
    | Garbled
    | Named
    | Done
)


class Decoder(Protocol):
    """Turns one server-sent event into typed events; keeps what later events build on."""

    def decode(self, event: SseEvent) -> list[Event]: ...


def json_object(event: SseEvent) -> dict[str, Any] | None:
    """The event's JSON object, or None when it holds something else."""
    try:
        value = json.loads(event.data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


# Far more than any model takes in or gives out, and sums of some of them fit a column.
MOST_TOKENS = 100_000_000


def count(value: object) -> int | None:
    """A token count as servers write it, or None for anything that is no count."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MOST_TOKENS else None


def mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


ERROR_KEYS = ("error", "message", "Message", "detail", "errors", "msg", "title")


def error_message(body: object) -> str:
    """The sentence inside a provider's error, whichever of the common shapes it takes."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return next((found for item in body if (found := error_message(item))), "")
    if not isinstance(body, dict):
        return ""
    named = (body.get(key) for key in ERROR_KEYS)
    return next((found for value in named if (found := error_message(value))), "")
