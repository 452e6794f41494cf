from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.adapters.converse_events import ConverseDecoder
from providers.adapters.event_stream import EventStreamSplitter, PayloadSplitter
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
)
from providers.adapters.sse import Splitter, SseEvent
from tests.providers.aws_frames import CONVERSE, delta, event, exception, frame

WHOLE = b"".join(CONVERSE)


def split(splitter: Splitter, *pieces: bytes) -> list[SseEvent]:
    found = [one for at_ns, piece in enumerate(pieces) for one in splitter.feed(at_ns, piece)]
    return found + splitter.finish()


def decoded(*frames: bytes) -> list[Event]:
    events = split(EventStreamSplitter(), *frames)
    return [one for found in events for one in ConverseDecoder().decode(found)]


def test_frames_become_named_events() -> None:
    names = [one.name for one in split(EventStreamSplitter(), WHOLE)]

    assert names == [
        *("messageStart", "contentBlockDelta", "contentBlockDelta", "contentBlockStop"),
        *("messageStop", "metadata"),
    ]


def test_a_cut_anywhere_changes_nothing_but_the_stamp() -> None:
    whole = split(EventStreamSplitter(), WHOLE)
    for cut in range(1, len(WHOLE)):
        found = split(EventStreamSplitter(), WHOLE[:cut], WHOLE[cut:])

        assert [(one.name, one.data) for one in found] == [(one.name, one.data) for one in whole]
        assert {one.at_ns for one in found} <= {0, 1}


def test_single_bytes_are_enough() -> None:
    pieces = [WHOLE[i : i + 1] for i in range(len(WHOLE))]

    assert len(split(EventStreamSplitter(), *pieces)) == len(CONVERSE)


def test_an_event_bears_the_stamp_of_the_piece_that_completed_it() -> None:
    (found,) = split(EventStreamSplitter(), b"", CONVERSE[1][:20], CONVERSE[1][20:])

    assert found.at_ns == 2


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    split(EventStreamSplitter(), *pieces)
    split(PayloadSplitter(), CONVERSE[0], *pieces)


@given(st.integers(min_value=len(CONVERSE[0]), max_value=len(WHOLE) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_seen_and_nothing_after_it_is_believed(place: int, change: int) -> None:
    broken = bytearray(WHOLE)
    broken[place] ^= change

    found = split(EventStreamSplitter(), bytes(broken))
    sound = split(EventStreamSplitter(), WHOLE)

    before = [one for one in found if one.data]
    assert before == sound[: len(before)]
    assert len(before) < len(sound)


def test_what_is_no_frame_from_the_start_is_no_event() -> None:
    assert split(EventStreamSplitter(), b'{"message": "not here"}') == []
    assert decoded(CONVERSE[0], b"x" * 99) == [Role(), Garbled("")]


def test_headers_of_every_type_are_passed_over() -> None:
    odd = b"\x01a\x00" + b"\x01b\x02\x09" + b"\x01c\x08" + bytes(8) + b"\x01d\x06\x00\x02xy"
    plain = frame(b"{}", event_type="messageStart")
    size = len(odd) + len(plain)
    rebuilt = _with_headers(odd + plain[12 : 12 + int.from_bytes(plain[4:8])], b"{}")

    (found,) = split(EventStreamSplitter(), rebuilt)

    assert (len(rebuilt), found.name) == (size, "messageStart")


def _with_headers(head: bytes, payload: bytes) -> bytes:
    import struct
    import zlib

    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


def test_converse_events_become_typed_events() -> None:
    thought = delta(reasoningContent={"text": "They greet."})
    signed = delta(reasoningContent={"signature": "abc"})
    tool = event("contentBlockStart", {"start": {"toolUse": {"name": "f", "toolUseId": "1"}}})

    assert decoded(thought, signed, tool, delta(toolUse={"input": '{"a"'}), *CONVERSE) == [
        Reasoning("They greet."),
        ToolCall("f"),
        ToolCall('{"a"'),
        Role(),
        Content("Hello"),
        Content(" there"),
        Finish("end_turn"),
        Usage(9, 2, 4),
        Done(),
    ]


def test_exceptions_and_errors_in_the_stream_are_found() -> None:
    error = frame(b"", message_type="error", error_code="500", error_message="It broke.")

    assert decoded(exception("throttlingException", "Too many tokens."), error) == [
        StreamError("Too many tokens."),
        StreamError("It broke."),
    ]


def test_events_inside_payloads_may_be_cut_between_two_frames() -> None:
    sse = 'data: {"a": "é"}\n\ndata: [DONE]\n\n'.encode()
    for cut in range(1, len(sse)):
        parts = [event("PayloadPart", sse[:cut]), event("PayloadPart", sse[cut:])]

        assert [one.data for one in split(PayloadSplitter(), *parts)] == ['{"a": "é"}', "[DONE]"]
