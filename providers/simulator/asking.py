"""What a chat request asks for, read from either wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from providers.simulator.http1 import Request
from providers.simulator.refusals import Wire

_NOTED = ("stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "n")


class AskedWrongly(Exception):
    """A 400; the message is the sentence for the client, `param` the field at fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class Asking:
    body: dict[str, Any]
    model: str
    prompt: str
    stream: bool
    limit: int | None
    include_usage: bool

    @property
    def prompt_tokens(self) -> int:
        """Words count as tokens here, so that a test can know the number."""
        return max(1, len(self.prompt.split()))

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings without any text, for the log."""
        return {name: self.body[name] for name in _NOTED if _is_short(self.body.get(name))}


def read_asking(request: Request, wire: Wire) -> Asking:
    """Raises AskedWrongly."""
    body = _json_object(request.body)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise AskedWrongly("The request names no model.", "model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise AskedWrongly("messages must be a list with at least one message.", "messages")
    options = body.get("stream_options")
    return Asking(
        body=body,
        model=model,
        prompt=" ".join([*_texts(body.get("system")), *_texts(messages)]),
        stream=body.get("stream") is True,
        limit=_limit(body, wire),
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise AskedWrongly("The body is not JSON.") from exc
    if not isinstance(body, dict):
        raise AskedWrongly("The body must be a JSON object.")
    return body


def _limit(body: dict[str, Any], wire: Wire) -> int | None:
    names = ("max_completion_tokens", "max_tokens") if wire == "openai" else ("max_tokens",)
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise AskedWrongly(f"{name} must be a whole number of at least 1.", name)
        return value
    if wire == "anthropic":
        raise AskedWrongly("max_tokens: this field is required.", "max_tokens")
    return None


def _texts(value: Any) -> Iterator[str]:
    """Every text of the messages, whether plain or in content parts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from _texts(item.get("content", item.get("text")))


def _is_short(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) <= 5 and all(_is_short(one) for one in value.values())
    return isinstance(value, (int, float))
