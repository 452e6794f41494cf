"""Responses as they come over a socket, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """``status`` None stands for a protocol error; ``body`` is what came before it."""

    name: str
    wire: bytes
    status: int | None = 200
    body: bytes = b""
    method: str = "GET"
    keeps_alive: bool = False
    breaks: bool = False


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

SOUND = [
    Sample("length", OK + b"Content-Length: 5\r\n\r\nhello", body=b"hello", keeps_alive=True),
    Sample("empty body", OK + b"Content-Length: 0\r\n\r\n", keeps_alive=True),
    Sample("until close", OK + b"Content-Type: text/plain\r\n\r\nto the end", body=b"to the end"),
    Sample("one chunk", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", body=b"hello", keeps_alive=True),
    Sample(
        "chunks with extensions and trailers",
        CHUNKED + b'5;a=b;c="d"\r\nhello\r\n00A ; x\r\n, my world\r\n0;last\r\nX-T: 1\r\n\r\n',
        body=b"hello, my world",
        keeps_alive=True,
    ),
    Sample("only the last chunk", CHUNKED + b"0\r\n\r\n", keeps_alive=True),
    Sample(
        "a chunk that holds line ends",
        CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n",
        body=b"\r\n" * 2,
        keeps_alive=True,
    ),
    Sample("head has no body", OK + b"Content-Length: 5\r\n\r\n", method="HEAD", keeps_alive=True),
    Sample("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, keeps_alive=True),
    Sample("304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, keeps_alive=True),
    Sample(
        "interim responses first",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nok",
        body=b"ok",
        keeps_alive=True,
    ),
    Sample(
        "connection close", OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", body=b"ok"
    ),
    Sample("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", body=b"ok"),
    Sample(
        "no reason phrase",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        body=b"ok",
        keeps_alive=True,
    ),
    Sample(
        "bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", body=b"ok", keeps_alive=True
    ),
    Sample(
        "folded header",
        OK + b"X-A: one\r\n\ttwo\r\nContent-Length: 2\r\n\r\nok",
        body=b"ok",
        keeps_alive=True,
    ),
    Sample(
        "the same length twice",
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        body=b"ok",
        keeps_alive=True,
    ),
    Sample(
        "chunked in other letters",
        OK + b"transfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        body=b"ok",
        keeps_alive=True,
    ),
    Sample(
        "server error",
        b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy",
        503,
        b"busy",
        keeps_alive=True,
    ),
]

# RFC 9112, section 6.3: chunked wins, and the connection ends there.
CONFLICT = Sample(
    "chunked and a length",
    OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    body=b"hello",
)

BROKEN = [
    Sample("not HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", None, breaks=True),
    Sample("HTTP/2 preface", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x00", None, breaks=True),
    Sample("empty line first", b"\r\nHTTP/1.1 200 OK\r\n\r\n", None, breaks=True),
    Sample("status of two digits", b"HTTP/1.1 20 OK\r\n\r\n", None, breaks=True),
    Sample("space in a name", OK + b"X A: 1\r\n\r\n", None, breaks=True),
    Sample("space before the colon", OK + b"Content-Length : 1\r\n\r\nx", None, breaks=True),
    Sample("header without colon", OK + b"nonsense\r\n\r\n", None, breaks=True),
    Sample("NUL in a value", OK + b"X-A: \x00\r\n\r\n", None, breaks=True),
    Sample("fold without a header", OK + b" X-A: 1\r\n\r\n", None, breaks=True),
    Sample(
        "two lengths", OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", None, breaks=True
    ),
    Sample("negative length", OK + b"Content-Length: -1\r\n\r\n", None, breaks=True),
    Sample("signed length", OK + b"Content-Length: +1\r\n\r\nx", None, breaks=True),
    Sample(
        "gzip as transfer coding",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        None,
        breaks=True,
    ),
    Sample("chunked twice", OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n", None, breaks=True),
    Sample("no hexadecimal size", CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n", breaks=True),
    Sample("negative size", CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", breaks=True),
    Sample("size with prefix", CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", breaks=True),
    Sample("empty size", CHUNKED + b"\r\nhello\r\n0\r\n\r\n", breaks=True),
    Sample("size beyond all measure", CHUNKED + b"f" * 30 + b"\r\n", breaks=True),
    Sample("chunk too long", CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n", body=b"hello", breaks=True),
    Sample("chunk without its end", CHUNKED + b"5\r\nhello0\r\n\r\n", body=b"hello", breaks=True),
    Sample("malformed second chunk", CHUNKED + b"2\r\nok\r\nzz\r\n", body=b"ok", breaks=True),
    Sample("unasked upgrade", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", None, breaks=True),
]

CUT = [
    Sample("nothing at all", b"", None, breaks=True),
    Sample("cut in the status line", b"HTTP/1.1 2", None, breaks=True),
    Sample("cut in the headers", OK + b"Content-Le", None, breaks=True),
    Sample("cut after an interim response", b"HTTP/1.1 100 Continue\r\n\r\n", None, breaks=True),
    Sample(
        "cut before the length", OK + b"Content-Length: 9\r\n\r\nhello", body=b"hello", breaks=True
    ),
    Sample("cut in a chunk", CHUNKED + b"9\r\nhello", body=b"hello", breaks=True),
    Sample("cut after a chunk", CHUNKED + b"5\r\nhello\r\n", body=b"hello", breaks=True),
    Sample("cut in the size", CHUNKED + b"5\r\nhello\r\n1", body=b"hello", breaks=True),
    Sample(
        "cut before the last line", CHUNKED + b"5\r\nhello\r\n0\r\n", body=b"hello", breaks=True
    ),
    Sample(
        "cut in the trailers",
        CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\r\n",
        body=b"hello",
        breaks=True,
    ),
]
