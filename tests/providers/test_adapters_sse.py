from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters.sse import SseEvent, SseSplitter


def read(*pieces: bytes) -> list[SseEvent]:
    """Piece n arrives at n; what was still open at the end comes last."""
    splitter = SseSplitter()
    events = [event for at, piece in enumerate(pieces) for event in splitter.feed(at, piece)]
    return [*events, *splitter.finish()]


def data_of(*pieces: bytes) -> list[str]:
    return [event.data for event in read(*pieces)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_ends_a_line(end: bytes) -> None:
    assert data_of(b"data: a", end, end, b"data: b", end, end) == ["a", "b"]


def test_an_event_carries_the_stamp_of_the_piece_that_completed_it() -> None:
    events = read(b"data: a\n", b"\n", b"data: b\n\ndata: c\n\nda", b"ta: d\r", b"\n\r", b"\n")

    assert [(e.at_ns, e.data) for e in events] == [(1, "a"), (2, "b"), (2, "c"), (4, "d")]


def test_comments_names_and_unknown_fields_do_not_reach_the_data() -> None:
    events = read(b": ping\n\nevent: delta\nid: 7\nretry: 5\ndata: x\n\n: bye\n\n")

    assert events == [SseEvent(0, "x", "delta")]


def test_the_name_of_an_event_does_not_leak_into_the_next() -> None:
    assert [e.name for e in read(b"event: a\n\ndata: x\n\nevent: b\ndata: y\n\n")] == ["", "b"]


def test_several_data_lines_become_one_text() -> None:
    assert data_of(b"data: {\ndata:  1\ndata:}\n\n") == ["{\n 1\n}"]


def test_only_one_leading_space_belongs_to_the_syntax() -> None:
    assert data_of(b"data:a\n\ndata: b\n\ndata:  c\n\n") == ["a", "b", " c"]


def test_a_byte_order_mark_is_not_part_of_the_first_field() -> None:
    assert data_of(b"\xef\xbb", b"\xbfdata: a\n\n") == ["a"]


def test_a_missing_last_blank_line_does_not_lose_the_event() -> None:
    assert read(b"data: a\n\n", b"data: b\n") == [SseEvent(0, "a"), SseEvent(1, "b", "", False)]
    assert read(b"data: a\n\n", b"data: b") == [SseEvent(0, "a"), SseEvent(1, "b", "", False)]


def test_bytes_that_are_no_events_give_no_events() -> None:
    assert data_of(b"<html>\n\n<body>data: x</body>\n\n") == []
    assert data_of() == []


def test_broken_utf8_is_replaced_and_not_raised() -> None:
    assert data_of(b"data: \xff\n\n") == ["\ufffd"]


STREAM = (
    '\ufeff: hello\r\n\r\nevent: delta\r\ndata: {"t": "häß"}\r\n\r\ndata: one\ndata: two\n\n'
    "data: 🙂\r\rdata\n\ndata: [DONE]\n\n"
).encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_the_pieces_are_cut_changes_nothing(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(edges)]

    assert data_of(*pieces) == ['{"t": "häß"}', "one\ntwo", "🙂", "[DONE]"]


def test_a_cut_at_every_single_byte_changes_nothing() -> None:
    for at in range(len(STREAM) + 1):
        assert data_of(STREAM[:at], STREAM[at:]) == data_of(STREAM)
    assert data_of(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == data_of(STREAM)


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    joined = [event.data for event in read(b"".join(pieces))]

    assert data_of(*pieces) == joined
