"""From a behaviour and a request to a script; equal questions share one prepared script."""

from __future__ import annotations

from functools import lru_cache

from providers.simulator import anthropic_wire, openai_wire
from providers.simulator.openai_wire import Talk
from providers.simulator.refusals import Wire
from providers.simulator.script import (
    HTML,
    Encoded,
    Script,
    headers_only,
    instant,
    reply_script,
    silent,
    stream_script,
    whole,
)
from providers.simulator.speech import Speech, compose
from providers.simulator.timetable import timetable

ID_HEADERS: dict[Wire, str] = {
    "openai": openai_wire.ID_HEADER,
    "anthropic": anthropic_wire.ID_HEADER,
    "ollama": openai_wire.ID_HEADER,
}
CACHED_CHUNKS = 1_000

Question = tuple[Wire, Talk, frozenset[str], int | None, tuple[int, int] | None, bool]


def script_for(question: Question, nth: int, age_s: float) -> Script:
    """`question`: wire, talk, faults, token limit, counting range, whether to stream."""
    talk, faults = question[1], question[2]
    if "hang" in faults:
        return silent()
    if "hang-after-headers" in faults:
        return headers_only(talk.behaviour, ID_HEADERS[question[0]])
    if "html" in faults:
        return instant(whole(200, "text/html; charset=utf-8", ID_HEADERS[question[0]], HTML), 200)
    if talk.behaviour.varies or _is_long(talk):
        return _prepare(question, nth, age_s)
    return _prepared(question)


@lru_cache(maxsize=64)
def _prepared(question: Question) -> Script:
    return _prepare(question, 1, 0.0)


def _prepare(question: Question, nth: int, age_s: float) -> Script:
    wire, talk, faults, _, _, streams = question
    speech = _speech(question)
    schedule = timetable(talk.behaviour, speech, nth, age_s)
    if streams and "json-not-sse" not in faults:
        encoded = _stream(question) if _is_long(talk) else _cached_stream(question)
        return stream_script(encoded, talk.behaviour, faults, schedule, ID_HEADERS[wire])
    encode = openai_wire.encode_whole if wire == "openai" else anthropic_wire.encode_whole
    reply = whole(200, "application/json", ID_HEADERS[wire], encode(talk, speech))
    return reply_script(reply, faults, schedule[-1], speech.tokens)


def _speech(question: Question) -> Speech:
    _, talk, faults, limit, count, _ = question
    return compose(talk.behaviour, faults, limit, count)


def _stream(question: Question) -> Encoded:
    wire, talk, faults, _, _, _ = question
    speech = _speech(question)
    if wire == "openai":
        return openai_wire.encode_stream(talk, speech, faults)
    return anthropic_wire.encode_stream(talk, speech)


_cached_stream = lru_cache(maxsize=64)(_stream)


def _is_long(talk: Talk) -> bool:
    behaviour = talk.behaviour
    said = behaviour.tokens + behaviour.reasoning_tokens + len(behaviour.answer or "")
    return said / behaviour.tokens_per_chunk > CACHED_CHUNKS
