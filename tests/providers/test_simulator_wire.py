from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.simulator import FAILURES, Behaviour, Simulator, running_simulator
from providers.simulator.openai_wire import Talk
from providers.simulator.performance import script_for
from providers.simulator.script import PLACEHOLDER, Frame
from tests.providers.simulator_client import chat

QUICK = "sim:ttft=5,gap=1,tokens=8"
WIRES = ["openai", "anthropic"]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


def test_an_openai_stream_opens_with_the_role_and_closes_with_usage(simulator: Simulator) -> None:
    reply = chat(simulator, QUICK, stream_options={"include_usage": True})

    role, *content, finish, usage, done = reply.events
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(content) == 8
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}
    assert (done, reply.ended) == ("[DONE]", "complete")


@pytest.mark.parametrize(
    ("mode", "asked", "carriers"),
    [("stream", False, 0), ("stream", True, 1), ("none", True, 0), ("final", False, 1)],
)
def test_usage_comes_when_the_model_and_the_client_agree(
    simulator: Simulator, mode: str, asked: bool, carriers: int
) -> None:
    options = {"stream_options": {"include_usage": True}} if asked else {}
    reply = chat(simulator, f"{QUICK},usage={mode}", 5.0, **options)

    assert sum(1 for event in reply.events[:-1] if event.get("usage")) == carriers


def test_cumulative_usage_rides_on_every_chunk(simulator: Simulator) -> None:
    reply = chat(simulator, f"{QUICK},reasoning=2,usage=cumulative")

    counts = [event["usage"]["completion_tokens"] for event in reply.events[1:-1]]
    assert counts == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]


@pytest.mark.parametrize(
    ("style", "field"),
    [("reasoning_content", "reasoning_content"), ("reasoning", "reasoning")],
)
def test_reasoning_comes_in_the_field_of_its_style(
    simulator: Simulator, style: str, field: str
) -> None:
    reply = chat(simulator, f"{QUICK},reasoning=3,style={style},usage=final")

    deltas = [event["choices"][0]["delta"] for event in reply.events[1:-1]]
    assert [field in delta for delta in deltas] == [True] * 3 + [False] * 9
    details = reply.events[-2]["usage"]["completion_tokens_details"]
    assert details == {"reasoning_tokens": 3}


def test_think_tags_wrap_reasoning_inside_the_content(simulator: Simulator) -> None:
    reply = chat(simulator, f"{QUICK},reasoning=3,style=think-tags")

    text = "".join(event["choices"][0]["delta"].get("content", "") for event in reply.events[:-1])
    assert text.startswith("<think>First I look</think>The harbour")


def test_an_anthropic_stream_has_its_events_in_order(simulator: Simulator) -> None:
    reply = chat(simulator, f"{QUICK},cached=2", wire="anthropic")

    kinds = [event["type"] for event in reply.events]
    opening = ["message_start", "content_block_start", "ping"]
    assert kinds[:3] == opening
    assert kinds[3:11] == ["content_block_delta"] * 8
    assert kinds[11:] == ["content_block_stop", "message_delta", "message_stop"]
    usage = reply.events[0]["message"]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (3, 2)
    assert reply.events[-2]["usage"] == {"output_tokens": 8}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        (400, ("invalid_request_error", "invalid_request_error")),
        (401, ("invalid_request_error", "authentication_error")),
        (402, ("insufficient_quota", "billing_error")),
        (403, ("permission_error", "permission_error")),
        (404, ("invalid_request_error", "not_found_error")),
        (408, ("timeout_error", "timeout_error")),
        (429, ("requests", "rate_limit_error")),
        (500, ("server_error", "api_error")),
        (503, ("server_error", "api_error")),
        (529, ("overloaded_error", "overloaded_error")),
    ],
)
def test_a_status_comes_with_the_vendors_body(
    simulator: Simulator, wire: str, status: int, kinds: tuple[str, str]
) -> None:
    reply = chat(simulator, f"{QUICK},fail=status-{status},retry-after=7", wire=wire)

    assert reply.status == status
    assert reply.json()["error"]["type"] == kinds[WIRES.index(wire)]
    assert ("retry-after" in reply.headers) == (status == 429)
    if wire == "anthropic":
        assert reply.json()["request_id"] == reply.request_id


def test_an_empty_quota_is_a_429_with_its_own_code(simulator: Simulator) -> None:
    reply = chat(simulator, f"{QUICK},fail=insufficient-quota")

    assert reply.status == 429
    assert reply.json()["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize(
    ("failure", "shown"), [("echo-key", "sk-secret-key-12345"), ("echo-key-masked", "sk-se***")]
)
def test_a_401_can_echo_the_key(simulator: Simulator, failure: str, shown: str) -> None:
    reply = chat(simulator, f"{QUICK},fail={failure}")

    assert reply.status == 401
    assert shown in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("failure", "field", "value"),
    [
        ("refuse-stream-options", "stream_options", {"include_usage": True}),
        ("refuse-max-tokens", "max_tokens", 5),
        ("refuse-temperature", "temperature", 0.0),
    ],
)
def test_a_parameter_is_refused_only_when_it_is_sent(
    simulator: Simulator, failure: str, field: str, value: object
) -> None:
    with_it = chat(simulator, f"{QUICK},fail={failure}", 5.0, **{field: value})
    without = chat(simulator, f"{QUICK},fail={failure}")

    assert (with_it.status, with_it.json()["error"]["param"]) == (400, field)
    assert (without.status, without.events[-1]) == (200, "[DONE]")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("failure", "ended", "events"),
    [
        ("truncated", "closed", {"openai": 5, "anthropic": 7}),
        ("ended-early", "complete", {"openai": 5, "anthropic": 7}),
        ("reset", "reset", {"openai": 5, "anthropic": 7}),
        ("stall", "silent", {"openai": 5, "anthropic": 7}),
        ("error-event", "complete", {"openai": 6, "anthropic": 8}),
    ],
)
def test_a_cut_strikes_half_way(
    simulator: Simulator, wire: str, failure: str, ended: str, events: dict[str, int]
) -> None:
    reply = chat(simulator, f"{QUICK},fail={failure}", timeout_s=0.3, wire=wire)

    assert (reply.status, reply.ended) == (200, ended)
    assert len(reply.events) == events[wire]
    assert ("error" in reply.events[-1]) == (failure == "error-event")


def test_the_place_of_the_cut_can_be_chosen(simulator: Simulator) -> None:
    assert len(chat(simulator, f"{QUICK},fail=truncated,after=2").events) == 3


@pytest.mark.parametrize(
    ("failure", "ended"), [("truncated", "closed"), ("reset", "reset"), ("stall", "silent")]
)
def test_a_whole_reply_is_cut_inside_its_body(
    simulator: Simulator, failure: str, ended: str
) -> None:
    reply = chat(simulator, f"{QUICK},fail={failure}", timeout_s=0.3, stream=False)

    assert reply.ended == ended
    assert len(reply.body) < int(reply.headers["content-length"])


def test_hanging_before_the_headers_sends_nothing(simulator: Simulator) -> None:
    assert chat(simulator, f"{QUICK},fail=hang", timeout_s=0.2).raw == b""


def test_hanging_after_the_headers_sends_no_event(simulator: Simulator) -> None:
    reply = chat(simulator, f"{QUICK},fail=hang-after-headers", timeout_s=0.2)

    assert (reply.status, reply.body, reply.ended) == (200, b"", "silent")


def test_html_and_plain_json_come_with_status_200(simulator: Simulator) -> None:
    page = chat(simulator, f"{QUICK},fail=html")
    plain = chat(simulator, f"{QUICK},fail=json-not-sse")

    assert page.headers["content-type"].startswith("text/html")
    assert b"<html>" in page.body
    assert plain.headers["content-type"] == "application/json"
    assert plain.json()["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("failure", "finish", "contents"),
    [
        ("empty", "stop", 0),
        ("content-filter", "content_filter", 0),
        ("thinking-only", "length", 20),
    ],
)
def test_an_answer_can_be_missing_for_different_reasons(
    simulator: Simulator, failure: str, finish: str, contents: int
) -> None:
    reply = chat(simulator, f"{QUICK},fail={failure}")

    *before, last, _ = reply.events
    assert last["choices"][0]["finish_reason"] == finish
    assert len(before) - 1 == contents
    assert not any(event["choices"][0]["delta"].get("content") for event in before)


def test_comments_keep_alive_and_lines_end_with_crlf(simulator: Simulator) -> None:
    reply = chat(simulator, f"{QUICK},fail=comments")

    assert reply.body.count(b": keep-alive\r\n\r\n") >= 2
    assert reply.body.count(b"\n") == reply.body.count(b"\r\n")
    assert len(reply.events) == 11


def test_split_and_merged_streams_carry_the_same_events(simulator: Simulator) -> None:
    plain = chat(simulator, QUICK)
    split = chat(simulator, f"{QUICK},fail=split")
    merged = chat(simulator, f"{QUICK},fail=merged")

    texts = [[event["choices"] for event in one.events[:-1]] for one in (plain, split, merged)]
    assert texts[0] == texts[1] == texts[2]
    stamps = simulator.record_of(merged.request_id)
    assert stamps is not None
    assert len(stamps.writes) == 8
    assert len(set(stamps.writes)) == 3


def test_a_split_stream_is_cut_inside_sizes_events_and_line_ends() -> None:
    def frames(faults: frozenset[str]) -> tuple[Frame, ...]:
        talk = Talk("m", Behaviour(tokens=4), 1, include_usage=False, created=0)
        return script_for(("openai", talk, faults, None, None, True), 1, 0.0).frames

    plain, split = frames(frozenset()), frames(frozenset({"split"}))

    def joined(some: tuple[Frame, ...]) -> bytes:
        return b"".join(PLACEHOLDER.join(frame.parts) for frame in some)

    assert joined(split) == joined(plain)
    assert len(split) >= 3 * len(plain)
    assert any(frame.parts[-1].endswith(b"}\n") for frame in split)
    assert sum(frame.contents for frame in split) == 4
    assert [frame.due_ns for frame in split[:3]] == [0, 500_000, 1_000_000]


def test_a_tool_call_streams_arguments_that_join_to_json(simulator: Simulator) -> None:
    reply = chat(simulator, "sim:ttft=1,gap=1,tokens=3,kind=tool")

    calls = [event["choices"][0]["delta"]["tool_calls"][0] for event in reply.events[1:-2]]
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert arguments == '{"text": "The harbour wakes"}'
    assert reply.events[-2]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("failure", sorted(FAILURES))
def test_every_failure_plays_on_both_wires_and_ways(
    simulator: Simulator, wire: str, failure: str
) -> None:
    model = f"sim:ttft=1,gap=0,tokens=4,reasoning=2,fail={failure}"
    for stream in (True, False):
        reply = chat(simulator, model, timeout_s=0.05, wire=wire, stream=stream)

        assert reply.ended in {"complete", "closed", "reset", "silent"}
    assert chat(simulator, QUICK).events[-1] == "[DONE]"
