from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from providers.simulator.behaviour import Behaviour
from providers.simulator.script import PLACEHOLDER, Encoded, Event
from providers.simulator.speech import Piece, Speech

ID_HEADER = "x-request-id"
DONE = b"data: [DONE]\n\n"
_CHAT_ID = f"chatcmpl-{PLACEHOLDER.decode()}"


@dataclass(frozen=True, slots=True)
class Talk:
    """What an encoder needs beside the speech; equal talks have equal bytes."""

    model: str
    behaviour: Behaviour
    prompt_tokens: int
    include_usage: bool
    created: int


def encode_stream(talk: Talk, speech: Speech, faults: frozenset[str]) -> Encoded:
    """https://platform.openai.com/docs/api-reference/chat-streaming"""
    closing = [_chunk(talk, {}, _finish(talk, speech), _final_usage(talk, speech))]
    if talk.include_usage and talk.behaviour.usage in ("stream", "cumulative"):
        closing.append(_usage_chunk(talk, speech))
    if "no-done" not in faults:
        closing.append(DONE)
    return Encoded(
        opening=(_chunk(talk, {"role": "assistant", "content": ""}),),
        body=tuple(_body(talk, speech)),
        closing=tuple(closing),
        broken=_broken(),
    )


def encode_whole(talk: Talk, speech: Speech) -> bytes:
    choice = {
        "index": 0,
        "message": _message(talk, speech),
        "logprobs": None,
        "finish_reason": _finish(talk, speech),
    }
    body = {**_envelope(talk, "chat.completion"), "choices": [choice]}
    if talk.behaviour.usage != "none":
        body["usage"] = usage(talk, speech.reasoning_tokens, speech.answer_tokens)
    return json.dumps(body, ensure_ascii=False).encode()


def usage(talk: Talk, reasoning: int, answer: int) -> dict[str, Any]:
    inside = reasoning if talk.behaviour.reasoning_usage == "included" else 0
    counts: dict[str, Any] = {
        "prompt_tokens": talk.prompt_tokens,
        "completion_tokens": inside + answer,
        "total_tokens": talk.prompt_tokens + reasoning + answer,
    }
    if talk.behaviour.cached_tokens:
        cached = min(talk.behaviour.cached_tokens, talk.prompt_tokens)
        counts["prompt_tokens_details"] = {"cached_tokens": cached}
    if reasoning:
        counts["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return counts


def tool_arguments(answer: tuple[Piece, ...]) -> Iterator[Piece]:
    """The same pieces as the arguments of a tool call; joined they are one JSON object."""
    for index, piece in enumerate(answer):
        before = '{"text": "' if index == 0 else ""
        after = '"}' if index == len(answer) - 1 else ""
        yield Piece(f"{before}{json.dumps(piece.text)[1:-1]}{after}", piece.tokens)


def _body(talk: Talk, speech: Speech) -> Iterator[Event]:
    thought = said = 0
    for delta, piece, thinking in _deltas(talk, speech):
        thought += piece.tokens if thinking else 0
        said += 0 if thinking else piece.tokens
        hidden = speech.reasoning_tokens if talk.behaviour.reasoning_style == "hidden" else thought
        running = talk.behaviour.usage == "cumulative"
        counts = usage(talk, hidden, said) if running else None
        yield Event(_chunk(talk, delta, None, counts), hidden + said, True)


def _deltas(talk: Talk, speech: Speech) -> Iterator[tuple[dict[str, Any], Piece, bool]]:
    style = talk.behaviour.reasoning_style
    for index, piece in enumerate(speech.reasoning):
        if style == "think-tags":
            last = index == len(speech.reasoning) - 1 and bool(speech.answer)
            text = f"{'' if index else '<think>'}{piece.text}{'</think>' if last else ''}"
            yield {"content": text}, piece, True
        else:
            yield {style: piece.text}, piece, True
    if talk.behaviour.kind == "tool":
        for index, piece in enumerate(tool_arguments(speech.answer)):
            yield {"tool_calls": [_tool_delta(index, piece)]}, piece, False
    else:
        yield from (({"content": piece.text}, piece, False) for piece in speech.answer)


def _tool_delta(index: int, piece: Piece) -> dict[str, Any]:
    if index:
        return {"index": 0, "function": {"arguments": piece.text}}
    function = {"name": "write_down", "arguments": piece.text}
    return {"index": 0, "id": "call_simulated", "type": "function", "function": function}


def _message(talk: Talk, speech: Speech) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": speech.answer_text, "refusal": None}
    thoughts = speech.reasoning_text
    if thoughts and talk.behaviour.reasoning_style == "think-tags":
        message["content"] = f"<think>{thoughts}</think>{speech.answer_text}"
    elif thoughts:
        message[talk.behaviour.reasoning_style] = thoughts
    if talk.behaviour.kind == "tool" and speech.answer:
        arguments = "".join(piece.text for piece in tool_arguments(speech.answer))
        function = {"name": "write_down", "arguments": arguments}
        call = {"id": "call_simulated", "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
    return message


def _finish(talk: Talk, speech: Speech) -> str:
    tool = talk.behaviour.kind == "tool" and speech.finish == "stop" and speech.answer
    return "tool_calls" if tool else speech.finish


def _final_usage(talk: Talk, speech: Speech) -> dict[str, Any] | None:
    if talk.behaviour.usage not in ("final", "cumulative"):
        return None
    return usage(talk, speech.reasoning_tokens, speech.answer_tokens)


def _usage_chunk(talk: Talk, speech: Speech) -> bytes:
    counts = usage(talk, speech.reasoning_tokens, speech.answer_tokens)
    return _sse({**_envelope(talk, "chat.completion.chunk"), "choices": [], "usage": counts})


def _chunk(
    talk: Talk,
    delta: dict[str, Any],
    finish: str | None = None,
    counts: dict[str, Any] | None = None,
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    body = {**_envelope(talk, "chat.completion.chunk"), "choices": [choice]}
    if counts is not None or (talk.include_usage and talk.behaviour.usage != "none"):
        body["usage"] = counts
    return _sse(body)


def _envelope(talk: Talk, kind: str) -> dict[str, Any]:
    return {
        "id": _CHAT_ID,
        "object": kind,
        "created": talk.created,
        "model": talk.model,
        "system_fingerprint": "fp_simulated",
    }


def _broken() -> bytes:
    error = {"message": "The server failed in the middle of the answer.", "type": "server_error"}
    return _sse({"error": {**error, "param": None, "code": None}})


def _sse(body: dict[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
