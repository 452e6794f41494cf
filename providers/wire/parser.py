"""Incremental parser of one HTTP/1.1 response (RFC 9112), fed with whatever a read brought."""

from __future__ import annotations

import re

import httpx2

MAX_HEAD_BYTES = 64 * 1024
MAX_CHUNK_LINE_BYTES = 16 * 1024

RawHeaders = list[tuple[bytes, bytes]]

_BLANK_LINE = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: ([^\x00\r\n\x0b\x0c]*))?")
_FIELD = re.compile(rb"([-!#$%&'*+.^_`|~0-9a-zA-Z]+):[ \t]*([^\x00\r\n\x0b\x0c]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\x00\r\n]*)?")
_PLAIN_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_DIGITS = re.compile(rb"[0-9]{1,18}")


# Plain integers: the state is read several times for every read of the socket.
_HEAD, _LENGTH, _UNTIL_CLOSE, _CHUNK_LINE, _CHUNK_DATA, _CHUNK_END, _TRAILER, _DONE = range(8)


class ResponseParser:
    """Turns reads into body bytes, the same ones wherever the reads were cut.

    It never raises: a malformed response sets ``broken``, after the bytes that were still sound.
    Interim (1xx) responses are skipped. Bytes after the end set ``surplus``: the connection then
    carries something nobody asked for and must not be used again.
    """

    __slots__ = (
        "_held",
        "_left",
        "_method",
        "_state",
        "broken",
        "headers",
        "http_version",
        "keep_alive",
        "reason",
        "status",
        "surplus",
    )

    def __init__(self, method: str) -> None:
        self._method = method
        self._state = _HEAD
        self._held = b""
        self._left = 0
        self.status: int | None = None
        self.reason = b""
        self.http_version = b"HTTP/1.1"
        self.headers: RawHeaders = []
        self.keep_alive = False
        self.surplus = False
        self.broken: httpx2.RemoteProtocolError | None = None

    @property
    def done(self) -> bool:
        return self._state == _DONE

    def feed(self, data: bytes) -> bytes:
        """Body bytes, transfer-decoded, that this read completed; empty when there are none."""
        if self._state == _CHUNK_LINE and not self._held:
            whole = _whole_chunk(data)
            if whole is not None:
                return whole
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        try:
            self._parse(data, pieces)
        except httpx2.RemoteProtocolError as exc:
            self.broken = exc
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def feed_eof(self) -> None:
        """The peer ended the stream: fine when the body is delimited by that or already whole."""
        if self._state == _UNTIL_CLOSE:
            self._state = _DONE
        elif self._state == _HEAD:
            part = "in the middle of the response headers" if self._held else "without a response"
            self.broken = httpx2.RemoteProtocolError(f"The server closed the connection {part}.")
        elif self._state != _DONE:
            self.broken = httpx2.RemoteProtocolError(
                "The server closed the connection before the response body was complete."
            )

    def _parse(self, data: bytes, pieces: list[bytes]) -> None:
        start = 0
        while self._state == _HEAD:
            start = self._read_head(data, start)
            if start < 0:
                return
        if self._state == _DONE:
            self.surplus = self.surplus or start < len(data)
        elif self._state == _LENGTH:
            self._read_length(data, start, pieces)
        elif self._state == _UNTIL_CLOSE:
            pieces.append(data[start:])
        else:
            self._read_chunks(data, start, pieces)

    def _read_head(self, data: bytes, start: int) -> int:
        """Position after the head, or -1 when more bytes are needed."""
        blank = _BLANK_LINE.search(data, start)
        if blank is None:
            if len(data) - start > MAX_HEAD_BYTES:
                raise httpx2.RemoteProtocolError("The response headers are larger than 64 KiB.")
            self._held = data[start:] if start else data
            _refuse_foreign(self._held)
            return -1
        if blank.start() - start > MAX_HEAD_BYTES:
            raise httpx2.RemoteProtocolError("The response headers are larger than 64 KiB.")
        lines = _lines(data[start : blank.start()])
        version, status, self.reason = _status_line(lines[0])
        headers = _fields(lines[1:])
        if status == 101:
            raise httpx2.RemoteProtocolError("The server switched protocols without being asked.")
        if status >= 200:
            self.headers, self.http_version = headers, b"HTTP/" + version
            self._choose_framing(version, status)
            self.status = status
        return blank.end()

    def _choose_framing(self, version: bytes, status: int) -> None:
        """RFC 9112, section 6.3: Transfer-Encoding wins over Content-Length and ends reuse."""
        codings = _tokens(self.headers, b"transfer-encoding")
        length = _content_length(self.headers)
        persistent = version == b"1.1" and b"close" not in _tokens(self.headers, b"connection")
        if self._method == "HEAD" or status in (204, 304):
            self._state = _DONE
        elif codings:
            if codings != [b"chunked"]:
                raise httpx2.RemoteProtocolError("The transfer encoding is not supported.")
            self._state = _CHUNK_LINE
            persistent = persistent and length is None
        elif length is None:
            self._state = _UNTIL_CLOSE
            persistent = False
        else:
            self._left = length
            self._state = _LENGTH if length else _DONE
        self.keep_alive = persistent

    def _read_length(self, data: bytes, start: int, pieces: list[bytes]) -> None:
        body = data[start : start + self._left]
        pieces.append(body)
        self._left -= len(body)
        if not self._left:
            self._state = _DONE
            self.surplus = start + len(body) < len(data)

    def _read_chunks(self, data: bytes, start: int, pieces: list[bytes]) -> None:
        end = len(data)
        while start < end and self._state != _DONE:
            if self._state == _CHUNK_LINE:
                start = _take_whole_chunks(data, start, pieces)
            if self._state == _CHUNK_DATA:
                piece = data[start : start + self._left]
                pieces.append(piece)
                start += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _CHUNK_END
                continue
            step = self._read_framing(data, start)
            if step < 0:
                self._held = data[start:]
                break
            start = step
        self.surplus = self._state == _DONE and start < end

    def _read_framing(self, data: bytes, start: int) -> int:
        """Position after the next piece of chunk framing, or -1 when more bytes are needed."""
        if self._state == _CHUNK_LINE:
            return self._read_chunk_line(data, start)
        if self._state == _TRAILER:
            return self._read_trailer(data, start)
        if data.startswith(b"\r\n", start):
            self._state = _CHUNK_LINE
            return start + 2
        if len(data) - start > 1 or not data.startswith(b"\r", start):
            raise httpx2.RemoteProtocolError("A chunk is longer than its announced size.")
        return -1

    def _read_chunk_line(self, data: bytes, start: int) -> int:
        stop = data.find(b"\r\n", start)
        if stop < 0:
            if b"\n" in data[start:] or len(data) - start > MAX_CHUNK_LINE_BYTES:
                raise httpx2.RemoteProtocolError("A chunk size line is malformed.")
            return -1
        match = _CHUNK_SIZE.fullmatch(data, start, stop)
        if match is None or stop - start > MAX_CHUNK_LINE_BYTES:
            raise httpx2.RemoteProtocolError("A chunk size line is malformed.")
        self._left = int(match[1], 16)
        self._state = _CHUNK_DATA if self._left else _TRAILER
        return stop + 2

    def _read_trailer(self, data: bytes, start: int) -> int:
        """Trailer fields are checked and dropped: nothing here has a use for them."""
        for empty_line in (b"\r\n", b"\n"):
            if data.startswith(empty_line, start):
                self._state = _DONE
                return start + len(empty_line)
        blank = _BLANK_LINE.search(data, start)
        if (len(data) if blank is None else blank.start()) - start > MAX_HEAD_BYTES:
            raise httpx2.RemoteProtocolError("The response trailers are larger than 64 KiB.")
        if blank is None:
            return -1
        _fields(_lines(data[start : blank.start()]))
        self._state = _DONE
        return blank.end()


def _whole_chunk(data: bytes) -> bytes | None:
    """The common read of a token stream, exactly one chunk: cheaper than the state machine."""
    match = _PLAIN_SIZE.match(data)
    if match is None or not data.endswith(b"\r\n"):
        return None
    start, size = match.end(), int(match[1], 16)
    return data[start:-2] if size and len(data) == start + size + 2 else None


def _take_whole_chunks(data: bytes, start: int, pieces: list[bytes]) -> int:
    """Position after the chunks that lie whole in the read; what is left is framed step by step."""
    while (match := _PLAIN_SIZE.match(data, start)) is not None:
        begin, size = match.end(), int(match[1], 16)
        end = begin + size
        if not size or data[end : end + 2] != b"\r\n":
            break
        pieces.append(data[begin:end])
        start = end + 2
    return start


def _refuse_foreign(held: bytes) -> None:
    """Fail at the first byte that cannot begin an HTTP response, not at the timeout."""
    if not b"HTTP/1.".startswith(held[:7]):
        raise httpx2.RemoteProtocolError("The server did not answer in HTTP/1.1.")


def _lines(block: bytes) -> list[bytes]:
    """Lines of a head; a bare LF ends a line too (RFC 9112, section 2.2)."""
    lines = block.split(b"\n")
    return [line[:-1] if line.endswith(b"\r") else line for line in lines]


def _status_line(line: bytes) -> tuple[bytes, int, bytes]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise httpx2.RemoteProtocolError("The server did not answer in HTTP/1.1.")
    return match[1], int(match[2]), match[3] or b""


def _fields(lines: list[bytes]) -> RawHeaders:
    fields: RawHeaders = []
    for line in lines:
        if fields and line[:1] in (b" ", b"\t"):  # obs-fold, RFC 9112 section 5.2
            name, value = fields[-1]
            line = name + b":" + value + b" " + line.strip(b" \t")
            fields.pop()
        match = _FIELD.fullmatch(line)
        if match is None:
            raise httpx2.RemoteProtocolError("A header line of the response is malformed.")
        fields.append((match[1], match[2].rstrip(b" \t")))
    return fields


def _tokens(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Comma-separated tokens of every header with this name, in lower case."""
    values = [value for key, value in headers if key.lower() == name]
    return [token.strip().lower() for token in b",".join(values).split(b",") if token.strip()]


def _content_length(headers: RawHeaders) -> int | None:
    lengths = set(_tokens(headers, b"content-length"))
    if not lengths:
        return None
    value = lengths.pop()
    if lengths or _DIGITS.fullmatch(value) is None:
        raise httpx2.RemoteProtocolError("The Content-Length of the response is malformed.")
    return int(value)
