"""Events of Amazon Bedrock's Converse stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from typing import Any

from providers.adapters.events import (
    Content,
    Done,
    Event,
    Finish,
    Garbled,
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

INPUT_FIELDS = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")


class ConverseDecoder:
    def decode(self, event: SseEvent) -> list[Event]:
        body = json_object(event)
        if event.name == "error":
            return [StreamError(error_message(body) if body else event.data)]
        if body is None:
            return [Garbled(event.data[:80])]
        match event.name:
            case "messageStart":
                return [Role()]
            case "contentBlockStart":
                name = text_of(mapping(mapping(body.get("start")).get("toolUse")).get("name"))
                return [ToolCall(name)] if name else []
            case "contentBlockDelta":
                return _delta(mapping(body.get("delta")))
            case "messageStop":
                reason = text_of(body.get("stopReason"))
                return [Finish(reason)] if reason else []
            case "metadata":
                return [*_usage(mapping(body.get("usage"))), Done()]
            case _:
                return []


def _delta(delta: dict[str, Any]) -> list[Event]:
    found: list[Event] = []
    if thought := text_of(mapping(delta.get("reasoningContent")).get("text")):
        found.append(Reasoning(thought))
    if text := text_of(delta.get("text")):
        found.append(Content(text))
    if part := text_of(mapping(delta.get("toolUse")).get("input")):
        found.append(ToolCall(part))
    return found


def _usage(usage: dict[str, Any]) -> list[Event]:
    """As with Anthropic, what came from a cache or went into one is counted apart."""
    inputs = [n for field in INPUT_FIELDS if (n := count(usage.get(field))) is not None]
    output, cached = count(usage.get("outputTokens")), count(usage.get("cacheReadInputTokens"))
    return [Usage(sum(inputs) if inputs else None, output, cached)] if usage else []
