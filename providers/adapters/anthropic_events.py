"""Events of an Anthropic message stream."""

from __future__ import annotations

from typing import Any

from providers.adapters.events import (
    Content,
    Done,
    Event,
    Finish,
    Garbled,
    Named,
    Ping,
    Reasoning,
    Role,
    StreamError,
    ToolCall,
    Usage,
    count,
    error_message,
    json_object,
    mapping,
    text_of,
)
from providers.adapters.sse import SseEvent

INPUT_FIELDS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class AnthropicDecoder:
    def __init__(self) -> None:
        self._usage: dict[str, int] = {}

    def decode(self, event: SseEvent) -> list[Event]:
        body = json_object(event)
        if body is None:
            return [StreamError(event.data) if event.name == "error" else Garbled(event.data[:80])]
        match text_of(body.get("type")) or event.name:
            case "message_start":
                return self._start(mapping(body.get("message")))
            case "content_block_start":
                return _block(mapping(body.get("content_block")))
            case "content_block_delta":
                return _delta(mapping(body.get("delta")))
            case "message_delta":
                return self._message_delta(body)
            case "message_stop":
                return [Done()]
            case "ping":
                return [Ping()]
            case "error":
                return [StreamError(error_message(body))]
            case _:
                return [StreamError(error_message(body))] if body.get("error") else []

    def _start(self, message: dict[str, Any]) -> list[Event]:
        # output_tokens of message_start is a placeholder, counted before anything was written.
        usage = self._merged({**mapping(message.get("usage")), "output_tokens": None})
        return [Role(), Named(text_of(message.get("model")) or None), *usage]

    def _message_delta(self, body: dict[str, Any]) -> list[Event]:
        reason = text_of(mapping(body.get("delta")).get("stop_reason"))
        usage = self._merged(mapping(body.get("usage")))
        return [*usage, Finish(reason)] if reason else usage

    def _merged(self, usage: dict[str, Any]) -> list[Event]:
        if not usage:
            return []
        fields = (*INPUT_FIELDS, "output_tokens")
        self._usage |= {f: n for f in fields if (n := count(usage.get(f))) is not None}
        thoughts = count(mapping(usage.get("output_tokens_details")).get("thinking_tokens"))
        inputs = [self._usage[field] for field in INPUT_FIELDS if field in self._usage]
        return [
            Usage(
                sum(inputs) if inputs else None,
                self._usage.get("output_tokens"),
                self._usage.get("cache_read_input_tokens"),
                thoughts,
            )
        ]


def _block(block: dict[str, Any]) -> list[Event]:
    """A block may open with content; usually it opens empty."""
    match block.get("type"):
        case "text" if text := text_of(block.get("text")):
            return [Content(text)]
        case "thinking" if text := text_of(block.get("thinking")):
            return [Reasoning(text)]
        case "tool_use" if name := text_of(block.get("name")):
            return [ToolCall(name)]
        case _:
            return []


def _delta(delta: dict[str, Any]) -> list[Event]:
    match delta.get("type"):
        case "text_delta" if text := text_of(delta.get("text")):
            return [Content(text)]
        case "thinking_delta" if text := text_of(delta.get("thinking")):
            return [Reasoning(text)]
        case "input_json_delta" if text := text_of(delta.get("partial_json")):
            return [ToolCall(text)]
        case _:
            return []
