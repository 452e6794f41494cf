"""A stencil may only save time: whatever it reads, the decoder must have read the same."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters import reading as reading_module
from providers.adapters.anthropic_events import AnthropicDecoder
from providers.adapters.events import Decoder
from providers.adapters.openai_events import OpenAIDecoder
from providers.adapters.reading import Reading
from providers.adapters.sse import SseSplitter
from providers.measurement import Trace

texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from([",", ":", "id", "content", "A trial, 7", '"', "\\", "\x7f", "é", "😀", " a"]),
)


def openai_event(delta: dict[str, Any], **more: Any) -> bytes:
    chunk = {"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": delta}], **more}
    return b"data: %b\n\n" % json.dumps(chunk, ensure_ascii=len(more) == 0).encode()


def anthropic_event(delta: dict[str, Any]) -> bytes:
    body = {"type": "content_block_delta", "index": 0, "delta": delta}
    return b"event: content_block_delta\ndata: %b\n\n" % json.dumps(body).encode()


openai_events = st.one_of(
    st.builds(lambda t: openai_event({"content": t}), texts),
    st.builds(lambda t: openai_event({"content": t}, n=1), texts),
    st.builds(lambda t: openai_event({"reasoning_content": t}), texts),
    st.builds(lambda t: openai_event({"content": t}, usage={"completion_tokens": 3}), texts),
    st.sampled_from(
        [b": ping\n\n", b"data: [DONE]\n\n", b"data: {\n\n", b"\xff", b"\r\n", b"data:"]
    ),
)
anthropic_events = st.one_of(
    st.builds(lambda t: anthropic_event({"type": "text_delta", "text": t}), texts),
    st.builds(lambda t: anthropic_event({"type": "thinking_delta", "thinking": t}), texts),
    st.just(b'event: ping\ndata: {"type":"ping"}\n\n'),
)


def pieces_of(data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [(at, data[at:end]) for at, end in pairwise(edges)]


def read(pieces: list[tuple[int, bytes]], decoder: Decoder) -> Reading:
    found = Reading(decoder, SseSplitter())
    found.catch_up(Trace(pieces=pieces), limit=len(pieces))
    found.finish()
    return found


def facts(found: Reading) -> tuple[Any, ...]:
    counts = found.tokens("prompt")
    seen = (found.chunks, found.text, counts, found.names, found.garbled, found.has_reasoning)
    return (*seen, found.finish_reason, found.is_done, found.event_count)


def both_ways(pieces: list[tuple[int, bytes]], decoder: type[Decoder]) -> tuple[Any, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_module, "STENCIL_TRIES", 0)
        slow = facts(read(pieces, decoder()))
    return facts(read(pieces, decoder())), slow


@given(st.lists(openai_events, max_size=12), st.lists(st.integers(0, 4000), max_size=8))
def test_openai_streams_read_the_same_with_and_without_it(
    events: list[bytes], cuts: list[int]
) -> None:
    quick, slow = both_ways(pieces_of(b"".join(events), cuts), OpenAIDecoder)

    assert quick == slow


@given(st.lists(anthropic_events, max_size=12), st.lists(st.integers(0, 4000), max_size=8))
def test_anthropic_streams_read_the_same_with_and_without_it(
    events: list[bytes], cuts: list[int]
) -> None:
    quick, slow = both_ways(pieces_of(b"".join(events), cuts), AnthropicDecoder)

    assert quick == slow


def test_an_escaped_text_is_never_mistaken_for_another_place_of_the_event() -> None:
    event = rb'data: {"x":"a","choices":[{"index":0,"delta":{"content":"\u0061"}}]}' + b"\n\n"
    pieces = pieces_of(event * 3 + event.replace(b'"x":"a"', b'"x":"b"'), [])

    found = read(pieces, OpenAIDecoder())

    assert found.text == "aaaa"


def test_most_of_a_plain_stream_is_read_through_the_stencil() -> None:
    decoded = []

    class Counting(OpenAIDecoder):
        def decode(self, event: Any) -> Any:
            decoded.append(event)
            return super().decode(event)

    events = [openai_event({"content": f" word{n}"}) for n in range(50)]
    found = read([(n, event) for n, event in enumerate(events)], Counting())

    assert [chunk.at_ns for chunk in found.chunks] == list(range(50))
    assert len(decoded) < 6
