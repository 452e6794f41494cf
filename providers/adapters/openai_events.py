"""Chunks of an OpenAI-style chat completion stream."""

from __future__ import annotations

from typing import Any

from providers.adapters.events import (
    Content,
    Done,
    Event,
    Finish,
    Garbled,
    Named,
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

END_MARK = "[DONE]"


class OpenAIDecoder:
    def decode(self, event: SseEvent) -> list[Event]:
        if event.data.strip() == END_MARK:
            return [Done()]
        chunk = json_object(event)
        if chunk is None:
            return [_unreadable(event)]
        if fault := _fault(event, chunk):
            return [StreamError(error_message(fault))]
        found = _names(chunk)
        for choice in _choices(chunk):
            found += _choice(choice)
        return found + _usage(chunk)


def _fault(event: SseEvent, chunk: dict[str, Any]) -> object:
    """What reports a failure, in the way of most, of vLLM and Mistral, or of Groq."""
    if event.name == "error" or chunk.get("error") or chunk.get("object") == "error":
        return chunk
    return mapping(chunk.get("x_groq")).get("error")


def _unreadable(event: SseEvent) -> Event:
    if event.name == "error":
        return StreamError(event.data)
    return Garbled(event.data[:80])


def _choices(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    choices = chunk.get("choices")
    return [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []


def _choice(choice: dict[str, Any]) -> list[Event]:
    if "delta" in choice or "message" in choice:
        delta = choice.get("delta")
        # Some say the whole message once more beside an empty last delta.
        found = _delta(delta if isinstance(delta, dict) else mapping(choice.get("message")))
    else:  # the older text completions
        found = _content(choice.get("text"))
    reason = text_of(choice.get("finish_reason"))
    if choice.get("error") or reason == "error":
        return [*found, StreamError(error_message(choice.get("error")))]
    return [*found, Finish(reason)] if reason else found


def _delta(delta: dict[str, Any]) -> list[Event]:
    found: list[Event] = []
    # Two names for one text while servers move from the older field to the newer one.
    thought = text_of(delta.get("reasoning_content")) or text_of(delta.get("reasoning"))
    if thought:
        found.append(Reasoning(thought))
    found += _content(delta.get("content"))
    if refusal := text_of(delta.get("refusal")):
        found.append(Content(refusal))
    found += _tool_calls(delta)
    return found or ([Role()] if delta.get("role") else [])


def _content(content: object) -> list[Event]:
    """Plain text, or Mistral's list of typed parts."""
    if isinstance(content, str):
        return [Content(content)] if content else []
    if not isinstance(content, list):
        return []
    return [found for part in content for found in _part(mapping(part))]


def _part(part: dict[str, Any]) -> list[Event]:
    if part.get("type") == "thinking":
        thoughts = part.get("thinking")
        pieces = thoughts if isinstance(thoughts, list) else [{"text": thoughts}]
        text = "".join(text_of(mapping(piece).get("text")) for piece in pieces)
        return [Reasoning(text)] if text else []
    text = text_of(part.get("text"))
    return [Content(text)] if text else []


def _tool_calls(delta: dict[str, Any]) -> list[Event]:
    if not (delta.get("tool_calls") or delta.get("function_call")):
        return []
    calls = delta.get("tool_calls")
    listed = calls if isinstance(calls, list) else []
    functions = [mapping(mapping(call).get("function")) for call in listed]
    functions.append(mapping(delta.get("function_call")))
    texts = [text_of(f.get("name")) + text_of(f.get("arguments")) for f in functions]
    return [ToolCall(text) for text in texts if text]


def _usage(chunk: dict[str, Any]) -> list[Event]:
    usage = mapping(chunk.get("usage") or mapping(chunk.get("x_groq")).get("usage"))
    if not usage:
        return []
    prompt, completion = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    cached = count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
    if cached is None:
        cached = count(usage.get("prompt_cache_hit_tokens"))
    reasoning = count(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    output, reasoning = _with_thoughts(
        prompt, completion, reasoning, count(usage.get("total_tokens"))
    )
    return [Usage(prompt, output, cached, reasoning)]


def _with_thoughts(
    prompt: int | None, completion: int | None, reasoning: int | None, total: int | None
) -> tuple[int | None, int | None]:
    """Adds thoughts that a server (Gemini, xAI) counts in the total but not in the completion."""
    if prompt is None or completion is None or total is None:
        return completion, reasoning
    extra = total - prompt - completion
    if extra > 0 and (reasoning or extra) == extra:
        return completion + extra, extra
    return completion, reasoning


def _names(chunk: dict[str, Any]) -> list[Event]:
    model = text_of(chunk.get("model")) or None
    fingerprint = text_of(chunk.get("system_fingerprint")) or None
    return [Named(model, fingerprint)] if model or fingerprint else []
