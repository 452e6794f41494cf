from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from providers.simulator.openai_wire import Talk, tool_arguments
from providers.simulator.script import PLACEHOLDER, Encoded, Event
from providers.simulator.speech import Piece, Speech

ID_HEADER = "request-id"
_MESSAGE_ID = f"msg_{PLACEHOLDER.decode()}"
_STOP = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
_SIGNATURE = "c2ltdWxhdGVk"


def encode_stream(talk: Talk, speech: Speech) -> Encoded:
    """https://docs.anthropic.com/en/docs/build-with-claude/streaming"""
    body = list(_body(talk, speech))
    opening = [_sse("message_start", message=_message(talk, speech, [], 1, None))]
    if body:
        opening.append(body.pop(0).data)
    opening.append(_sse("ping"))
    closing = [body.pop().data] if body else []
    closing.append(_message_delta(talk, _stop_reason(talk, speech), speech.tokens))
    closing.append(_sse("message_stop"))
    return Encoded(tuple(opening), tuple(body), tuple(closing), _broken())


def encode_whole(talk: Talk, speech: Speech) -> bytes:
    blocks: list[dict[str, Any]] = []
    if speech.reasoning:
        thinking = {"type": "thinking", "thinking": speech.reasoning_text}
        blocks.append({**thinking, "signature": _SIGNATURE})
    if speech.answer and talk.behaviour.kind == "tool":
        arguments = "".join(piece.text for piece in tool_arguments(speech.answer))
        blocks.append({**_tool_block(), "input": json.loads(arguments)})
    elif speech.answer:
        blocks.append({"type": "text", "text": speech.answer_text})
    message = _message(talk, speech, blocks, speech.tokens, _stop_reason(talk, speech))
    return json.dumps(message, ensure_ascii=False).encode()


def _body(talk: Talk, speech: Speech) -> Iterator[Event]:
    """Every block event, the first block's start and the last block's stop included."""
    said = index = 0
    if speech.reasoning:
        yield _start(index, {"type": "thinking", "thinking": "", "signature": ""}, said)
        for piece in speech.reasoning:
            said += piece.tokens
            yield _delta(index, {"type": "thinking_delta", "thinking": piece.text}, said)
        signed = {"type": "signature_delta", "signature": _SIGNATURE}
        yield _delta(index, signed, said)._replace(content=False)
        yield _stop(index, said)
        index += 1
    if speech.answer:
        said = speech.reasoning_tokens
        yield from _answer(talk, speech, index, said)


def _answer(talk: Talk, speech: Speech, index: int, said: int) -> Iterator[Event]:
    tool = talk.behaviour.kind == "tool"
    yield _start(index, _tool_block() if tool else {"type": "text", "text": ""}, said)
    pieces: tuple[Piece, ...] = tuple(tool_arguments(speech.answer)) if tool else speech.answer
    for number, piece in enumerate(pieces, start=1):
        said += piece.tokens
        kind, field = ("input_json_delta", "partial_json") if tool else ("text_delta", "text")
        yield _delta(index, {"type": kind, field: piece.text}, said)
        if talk.behaviour.usage == "cumulative" and number == len(pieces) // 2:
            yield Event(_message_delta(talk, None, said), said, False)
    yield _stop(index, said)


def _message(
    talk: Talk,
    speech: Speech,
    content: list[dict[str, Any]],
    output_tokens: int,
    stop_reason: str | None,
) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": _MESSAGE_ID,
        "type": "message",
        "role": "assistant",
        "model": talk.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }
    if talk.behaviour.usage != "none":
        message["usage"] = _usage(talk, output_tokens)
    return message


def _usage(talk: Talk, output_tokens: int) -> dict[str, int]:
    """Cached tokens are not part of input_tokens on this wire."""
    cached = min(talk.behaviour.cached_tokens, talk.prompt_tokens)
    return {
        "input_tokens": talk.prompt_tokens - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output_tokens,
    }


def _message_delta(talk: Talk, stop_reason: str | None, output_tokens: int) -> bytes:
    fields: dict[str, Any] = {"delta": {"stop_reason": stop_reason, "stop_sequence": None}}
    if talk.behaviour.usage != "none":
        fields["usage"] = {"output_tokens": output_tokens}
    return _sse("message_delta", **fields)


def _stop_reason(talk: Talk, speech: Speech) -> str:
    tool = talk.behaviour.kind == "tool" and speech.finish == "stop" and speech.answer
    return "tool_use" if tool else _STOP[speech.finish]


def _tool_block() -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_simulated", "name": "write_down", "input": {}}


def _start(index: int, block: dict[str, Any], said: int) -> Event:
    return Event(_sse("content_block_start", index=index, content_block=block), said, False)


def _delta(index: int, delta: dict[str, Any], said: int) -> Event:
    return Event(_sse("content_block_delta", index=index, delta=delta), said, True)


def _stop(index: int, said: int) -> Event:
    return Event(_sse("content_block_stop", index=index), said, False)


def _broken() -> bytes:
    return _sse("error", error={"type": "overloaded_error", "message": "Overloaded in mid-answer."})


def _sse(kind: str, **fields: Any) -> bytes:
    text = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {text}\n\n".encode()
