"""Events out of Amazon's binary framing (application/vnd.amazon.eventstream).

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html describes the frames:
lengths of frame and headers, a checksum of the two, headers, payload, a checksum of it all.
"""

from __future__ import annotations

import struct
import zlib

from providers.adapters.sse import SseEvent, SseSplitter

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
# What Amazon itself allows; a longer frame is noise that happened to pass the first checksum.
FRAME_LIMIT = 24 * 1024 * 1024
STRING = 7
# Bytes of the value by the type of a header; byte arrays and strings say their own length.
VALUE_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class BadFrame(Exception):
    """The bytes are no frame."""


class Frames:
    """Bytes in, whole frames out: the type of each event and its payload; an exception is "error".

    After bytes that are no frame nothing can be found any more: they make one frame without type
    and payload, unless nothing was read before them: then the body is no event stream at all.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._has_read = False
        self._is_lost = False

    @property
    def is_idle(self) -> bool:
        return not self._held

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        if self._is_lost:
            return []
        self._held += piece
        found: list[tuple[str, bytes]] = []
        try:
            while (size := _frame_size(self._held)) <= len(self._held):
                frame = bytes(self._held[:size])
                del self._held[:size]
                self._has_read = True
                found.append(_event(frame))
        except BadFrame:
            self._is_lost = True
            self._held.clear()
            found += [("", b"")] if self._has_read else []
        return found


class EventStreamSplitter:
    """The frames as events."""

    def __init__(self) -> None:
        self._frames = Frames()

    @property
    def is_idle(self) -> bool:
        return self._frames.is_idle

    def feed(self, at_ns: int, piece: bytes) -> list[SseEvent]:
        frames = self._frames.feed(piece)
        return [SseEvent(at_ns, data.decode("utf-8", "replace"), name) for name, data in frames]

    def finish(self) -> list[SseEvent]:
        """A frame that was cut off says nothing; that the end is missing, the events tell."""
        return []


class PayloadSplitter:
    """Server-sent events inside the payloads of the frames, cut anywhere between two."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._inner = SseSplitter()

    @property
    def is_idle(self) -> bool:
        return self._frames.is_idle and self._inner.is_idle

    def feed(self, at_ns: int, piece: bytes) -> list[SseEvent]:
        events: list[SseEvent] = []
        for name, data in self._frames.feed(piece):
            if name == "PayloadPart":
                events += self._inner.feed(at_ns, data)
            else:
                events.append(SseEvent(at_ns, data.decode("utf-8", "replace"), name))
        return events

    def finish(self) -> list[SseEvent]:
        return self._inner.finish()


def _frame_size(data: bytearray) -> int:
    """The size of the frame ``data`` begins with; more than there is while it is unknown."""
    if len(data) < _PRELUDE.size:
        return FRAME_LIMIT
    size, header_size, checksum = _PRELUDE.unpack_from(data)
    is_sound = zlib.crc32(data[:8]) == checksum
    if not is_sound or size > FRAME_LIMIT or size < header_size + 16:
        raise BadFrame
    return int(size)


def _event(frame: bytes) -> tuple[str, bytes]:
    """Its name and its payload."""
    if zlib.crc32(frame[:-4]) != _CHECKSUM.unpack_from(frame, len(frame) - 4)[0]:
        raise BadFrame
    end = 12 + _PRELUDE.unpack_from(frame)[1]
    headers = _headers(frame[12:end])
    if headers.get(":message-type", "event") == "event":
        return headers.get(":event-type", ""), frame[end:-4]
    said = frame[end:-4] or headers.get(":error-message", "").encode()
    return "error", said


def _headers(data: bytes) -> dict[str, str]:
    """The headers that hold text; the others are passed over."""
    found: dict[str, str] = {}
    place = 0
    try:
        while place < len(data):
            name_end = place + 1 + data[place]
            name, kind = data[place + 1 : name_end].decode(), data[name_end]
            place = name_end + 1
            size = VALUE_BYTES.get(kind)
            if size is None:
                size = int.from_bytes(data[place : place + 2])
                place += 2
            if kind == STRING:
                found[name] = data[place : place + size].decode()
            place += size
    except (IndexError, UnicodeDecodeError):
        raise BadFrame from None
    return found
