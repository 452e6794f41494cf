from __future__ import annotations

import json
from typing import Any

import pytest

from providers.adapters.anthropic_events import AnthropicDecoder
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
)
from providers.adapters.openai_events import OpenAIDecoder
from providers.adapters.sse import SseEvent


def openai(chunk: Any, name: str = "") -> list[Event]:
    data = chunk if isinstance(chunk, str) else json.dumps(chunk)
    return OpenAIDecoder().decode(SseEvent(0, data, name))


def delta(finish: str | None = None, **given: Any) -> list[Event]:
    return openai({"choices": [{"index": 0, "delta": given, "finish_reason": finish}]})


def anthropic(*bodies: Any) -> list[Event]:
    decoder = AnthropicDecoder()
    return [e for body in bodies for e in decoder.decode(SseEvent(0, json.dumps(body)))]


def test_the_whole_message_beside_an_empty_delta_is_no_content() -> None:
    choice = {"index": 0, "delta": {}, "message": {"content": "one two"}, "finish_reason": "stop"}

    assert openai({"choices": [choice]}) == [Finish("stop")]


def test_a_message_stands_for_a_delta_that_is_missing() -> None:
    assert openai({"choices": [{"delta": None, "message": {"content": "hi"}}]}) == [Content("hi")]


@pytest.mark.parametrize(
    ("given", "events"),
    [
        ({"role": "assistant"}, [Role()]),
        ({"role": "assistant", "content": ""}, [Role()]),
        ({"content": ""}, []),
        ({"content": None}, []),
        ({}, []),
        ({"content": "hi"}, [Content("hi")]),
        ({"content": " "}, [Content(" ")]),
        ({"reasoning_content": "hm"}, [Reasoning("hm")]),
        ({"reasoning": "hm"}, [Reasoning("hm")]),
        ({"reasoning": "hm", "reasoning_content": "hm"}, [Reasoning("hm")]),
        ({"reasoning_content": "hm", "content": "so"}, [Reasoning("hm"), Content("so")]),
        ({"refusal": "no"}, [Content("no")]),
        ({"tool_calls": [{"function": {"name": "f", "arguments": ""}}]}, [ToolCall("f")]),
        ({"tool_calls": [{"function": {"arguments": '{"a'}}]}, [ToolCall('{"a')]),
        ({"tool_calls": [{"function": {"arguments": ""}}]}, []),
        ({"tool_calls": []}, []),
        ({"function_call": {"name": "g"}}, [ToolCall("g")]),
        ({"content": [{"type": "text", "text": "x"}]}, [Content("x")]),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "y"}]}]},
            [Reasoning("y")],
        ),
        ({"content": 7, "tool_calls": "x", "role": 1}, [Role()]),
    ],
)
def test_openai_deltas_become_typed_events(given: dict[str, Any], events: list[Event]) -> None:
    assert delta(**given) == events


def test_openai_finish_reasons_are_kept() -> None:
    assert delta(finish="length", content="x") == [Content("x"), Finish("length")]


def test_openai_end_mark_is_not_content() -> None:
    assert openai("[DONE]") == [Done()]
    assert openai(" [DONE] ") == [Done()]


@pytest.mark.parametrize(
    ("usage", "event"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, Usage(9, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, Usage(9, 4)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}},
            Usage(9, None, 8),
        ),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 7}, Usage(9, None, 7)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 14,
                "total_tokens": 23,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            Usage(9, 14, None, 10),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 20}, Usage(9, 11, None, 7)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 20,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            Usage(9, 11, None, 7),
        ),
        ({"prompt_tokens": "9", "completion_tokens": True, "x": -1}, Usage()),
        ({"prompt_tokens": -9, "completion_tokens": 4.0}, Usage(None, 4)),
        ({"prompt_tokens": 2**31, "completion_tokens": 9e11}, Usage()),
    ],
    ids=[
        *["plain", "total", "cached", "deepseek", "openai thoughts", "gemini", "xai", "bad", "odd"],
        "more than a column holds",
    ],
)
def test_openai_usage_is_normalised(usage: dict[str, Any], event: Usage) -> None:
    assert openai({"choices": [], "usage": usage}) == [event]


def test_groq_puts_usage_under_a_name_of_its_own() -> None:
    chunk = {"choices": [], "x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}}

    assert openai(chunk) == [Usage(1, 2)]


def test_the_answering_model_and_its_fingerprint_are_reported() -> None:
    chunk = {"model": "m-1", "system_fingerprint": "fp", "choices": []}

    assert openai(chunk) == [Named("m-1", "fp")]


@pytest.mark.parametrize(
    ("chunk", "name", "message"),
    [
        ({"error": {"message": "boom", "code": 500}}, "", "boom"),
        ({"error": "boom"}, "", "boom"),
        ({"message": "boom"}, "error", "boom"),
        ("plain boom", "error", "plain boom"),
        ({"choices": [{"error": {"message": "boom"}, "finish_reason": "error"}]}, "", "boom"),
    ],
)
def test_openai_errors_in_the_stream_are_found(chunk: Any, name: str, message: str) -> None:
    assert openai(chunk, name) == [StreamError(message)]


@pytest.mark.parametrize("data", ["{oops", "7", '"text"', "[1]", "[" * 100_000])
def test_what_is_no_json_object_is_garbled(data: str) -> None:
    assert openai(data) == [Garbled(data[:80])]


@pytest.mark.parametrize(
    "chunk", [{}, {"choices": None}, {"choices": [None, 3]}, {"choices": [{"delta": None}]}]
)
def test_openai_chunks_that_say_nothing_are_tolerated(chunk: Any) -> None:
    assert openai(chunk) == []


def test_an_anthropic_stream_becomes_typed_events() -> None:
    events = anthropic(
        {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "f"}},
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "content_block_stop"},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    )

    assert events == [
        Role(),
        Named("claude"),
        Usage(3, None),
        Ping(),
        Reasoning("hm"),
        Content("hi"),
        ToolCall("f"),
        ToolCall("{"),
        Usage(3, 5),
        Finish("end_turn"),
        Done(),
    ]


def test_anthropic_input_tokens_include_what_came_from_and_went_to_the_cache() -> None:
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 1,
    }
    events = anthropic(
        {"type": "message_start", "message": {"usage": usage}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 8}},
    )

    assert events == [Role(), Named(), Usage(123, None, 100), Usage(123, 8, 100)]


def test_anthropic_errors_in_the_stream_are_found() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    assert anthropic(error) == [StreamError("Overloaded")]
    assert AnthropicDecoder().decode(SseEvent(0, "down", "error")) == [StreamError("down")]
    assert AnthropicDecoder().decode(SseEvent(0, "{", "x")) == [Garbled("{")]


def test_unknown_anthropic_events_are_ignored() -> None:
    assert anthropic({"type": "brand_new"}, {}, {"type": "content_block_delta"}) == []


@pytest.mark.parametrize("tokens", [-1, True, "7", float("nan"), 100_000_001, 2**31, 1e300])
def test_what_cannot_be_a_number_of_tokens_is_unknown(tokens: Any) -> None:
    assert count(tokens) is None


def test_counts_may_be_written_as_fractions() -> None:
    assert [count(tokens) for tokens in (0, 7.0, 100_000_000)] == [0, 7, 100_000_000]
