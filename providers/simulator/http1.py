"""The server side of HTTP/1.1, as far as model clients use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

MAX_HEAD_BYTES = 32_768
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestRefused(Exception):
    """The bytes are not a request that can be served; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def keep_alive(self) -> bool:
        return "close" not in self.headers.get("connection", "").lower()

    def argument(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]

    @property
    def key(self) -> str | None:
        """The API key as any of the vendors' headers carries it."""
        bearer = self.headers.get("authorization", "")
        if bearer[:7].lower() == "bearer ":
            return bearer[7:].strip()
        return self.headers.get("x-api-key") or self.headers.get("api-key")

    @property
    def key_header(self) -> str | None:
        names = ("authorization", "x-api-key", "api-key")
        return next((name for name in names if self.headers.get(name)), None)


class RequestReader:
    """Collects bytes until a request is whole; later bytes wait for the next one."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._buffer = bytearray()
        self._head: Request | None = None
        self._wanted = 0
        self._expects_continue = False

    def feed(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > self._max_body_bytes + MAX_HEAD_BYTES:
            raise RequestRefused(413, "The request is larger than the simulator takes.")

    def next(self) -> Request | None:
        """The next whole request, or None while bytes are missing. Raises RequestRefused."""
        if self._head is None and not self._read_head():
            return None
        if self._head is None or len(self._buffer) < self._wanted:
            return None
        body = bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted]
        head, self._head = self._head, None
        return Request(head.method, head.path, head.query, head.headers, body)

    def has_bytes(self) -> bool:
        return bool(self._buffer)

    def take_expectation(self) -> bool:
        """Whether the client waits for a 100 before it sends the body; true once a request."""
        expected, self._expects_continue = self._expects_continue, False
        return expected

    def _read_head(self) -> bool:
        while self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise RequestRefused(431, "The request's headers are too long.")
            return False
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        headers = dict(_header(line) for line in lines)
        self._wanted = _body_length(headers, self._max_body_bytes)
        self._head = _request(first, headers)
        self._expects_continue = headers.get("expect", "").lower() == "100-continue"
        return True


def _request(line: str, headers: dict[str, str]) -> Request:
    parts = line.split(" ")
    if len(parts) != 3 or not parts[0].isalpha() or not parts[1].startswith("/"):
        raise RequestRefused(400, "The request line is not HTTP.")
    method, target, version = parts
    if version != "HTTP/1.1":
        raise RequestRefused(505, "The simulator speaks HTTP/1.1 only.")
    path, _, query = target.partition("?")
    return Request(method, unquote(path), _arguments(query), headers)


def _arguments(query: str) -> dict[str, list[str]]:
    try:
        return parse_qs(urlsplit(f"?{query}").query, max_num_fields=50)
    except ValueError as exc:
        raise RequestRefused(400, "The query string cannot be read.") from exc


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise RequestRefused(400, "A header line cannot be read.")
    return name.lower(), value.strip()


def _body_length(headers: dict[str, str], most: int) -> int:
    if "transfer-encoding" in headers:
        raise RequestRefused(411, "Send the body with a content-length.")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise RequestRefused(400, "The content-length is not a number.")
    if int(text) > most:
        raise RequestRefused(413, "The request is larger than the simulator takes.")
    return int(text)
