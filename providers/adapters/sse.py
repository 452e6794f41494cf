"""Server-sent events out of stamped bytes (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """``at_ns`` is the arrival of the piece that completed the event.

    ``is_complete`` is False for what was still open when the stream ended.
    """

    at_ns: int
    data: str
    name: str = ""
    is_complete: bool = True


class Splitter(Protocol):
    """Bytes in, whole events out; pieces may be cut anywhere."""

    @property
    def is_idle(self) -> bool:
        """Whether the next byte begins an event."""
        ...

    def feed(self, at_ns: int, piece: bytes) -> list[SseEvent]: ...

    def finish(self) -> list[SseEvent]:
        """What can still be said when no more bytes come."""
        ...


class SseSplitter:
    """Bytes in, whole events out; pieces may be cut anywhere, even inside a line ending."""

    def __init__(self) -> None:
        self._open_line: list[bytes] = []
        self._data: list[bytes] = []
        self._name = b""
        self._skip_lf = False
        self._is_start = True
        self._last_ns = 0

    @property
    def is_idle(self) -> bool:
        """Whether the next byte begins an event."""
        return not (self._open_line or self._data or self._name or self._skip_lf or self._is_start)

    def feed(self, at_ns: int, piece: bytes) -> list[SseEvent]:
        self._last_ns = at_ns
        if self._skip_lf and piece:
            piece = piece.removeprefix(b"\n")
            self._skip_lf = False
        if not piece:
            return []
        if b"\n" not in piece and b"\r" not in piece:
            self._open_line.append(piece)
            return []
        return self._take_lines(at_ns, self._whole_lines(piece))

    def finish(self) -> list[SseEvent]:
        """The event that lacks its closing blank line, if the stream left one open."""
        line = b"".join(self._open_line)
        self._open_line.clear()
        if line:
            self._take_lines(self._last_ns, [line])
        return self._dispatch(self._last_ns, is_complete=False)

    def _whole_lines(self, piece: bytes) -> list[bytes]:
        block = b"".join((*self._open_line, piece))
        self._open_line.clear()
        lines = block.splitlines()
        self._skip_lf = block.endswith(b"\r")
        if not block.endswith((b"\n", b"\r")):
            self._open_line.append(lines.pop())
        return lines

    def _take_lines(self, at_ns: int, lines: list[bytes]) -> list[SseEvent]:
        if self._is_start and lines:
            lines[0] = lines[0].removeprefix(BOM)
            self._is_start = False
        events: list[SseEvent] = []
        for line in lines:
            if line:
                self._take_field(line)
            else:
                events += self._dispatch(at_ns, is_complete=True)
        return events

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._name = value.removeprefix(b" ")

    def _dispatch(self, at_ns: int, *, is_complete: bool) -> list[SseEvent]:
        data, name = self._data, self._name
        self._data, self._name = [], b""
        if not any(data):
            return []  # some servers keep the connection alive with empty events
        text = b"\n".join(data).decode("utf-8", "replace")
        return [SseEvent(at_ns, text, name.decode("utf-8", "replace"), is_complete)]
