"""The bytes of one response and when each of them is due, worked out before the clock runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from providers.simulator.behaviour import CUTS, Behaviour

PLACEHOLDER = b"req_" + b"#" * 20
COMMENT = b": keep-alive\n\n"
EVENTS_PER_MERGED_WRITE = 4
NS_BETWEEN_SPLIT_WRITES = 500_000
RESET_DELAY_NS = 2_000_000
HTML = b"<!doctype html><html><head><title>Welcome</title></head><body>Sign in first.</body></html>"


class Ending(StrEnum):
    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


class Event(NamedTuple):
    """One SSE event; `tokens` counts everything said up to and including it."""

    data: bytes
    tokens: int
    content: bool


class Encoded(NamedTuple):
    """A whole stream on one wire; `broken` is the event that reports an error in its middle."""

    opening: tuple[bytes, ...]
    body: tuple[Event, ...]
    closing: tuple[bytes, ...]
    broken: bytes


class Frame(NamedTuple):
    """One write. The request id joins the parts."""

    due_ns: int
    parts: tuple[bytes, ...]
    contents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Script:
    frames: tuple[Frame, ...]
    ending: Ending
    status: int


class _Timed(NamedTuple):
    due_ns: int
    data: bytes
    contents: int
    tokens: int


def head(status: int, content_type: str, id_header: str, *fields: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_PHRASES.get(status, 'Simulated')}",
        f"content-type: {content_type}",
        f"{id_header}: {PLACEHOLDER.decode()}",
        "cache-control: no-cache",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(status: int, content_type: str, id_header: str, body: bytes, *fields: str) -> bytes:
    return head(status, content_type, id_header, f"content-length: {len(body)}", *fields) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def instant(response: bytes, status: int, ending: Ending = Ending.KEEP) -> Script:
    return Script((_frame(0, response),), ending, status)


def silent() -> Script:
    return Script((), Ending.HANG, 0)


def headers_only(behaviour: Behaviour, id_header: str) -> Script:
    opened = head(200, "text/event-stream", id_header, "transfer-encoding: chunked")
    return Script((_frame(_ns(behaviour.headers_ms), opened),), Ending.HANG, 200)


def reply_script(
    response: bytes,
    faults: frozenset[str],
    due_ns: int,
    tokens: int,
) -> Script:
    """A response that is not streamed: everything in one write when the last token is ready."""
    if not faults & CUTS:
        frames = (_frame(due_ns, response, 1 if tokens else 0, tokens),)
        return Script(_split(frames) if "split" in faults else frames, Ending.KEEP, 200)
    half = response[: len(response) - len(response) // 3]
    return Script((_frame(due_ns, half),), _ending(faults, Ending.CLOSE), 200)


def stream_script(
    encoded: Encoded,
    behaviour: Behaviour,
    faults: frozenset[str],
    schedule: tuple[int, ...],
    id_header: str,
) -> Script:
    """Put the events on the clock: `schedule` holds ns from the request, one per content event."""
    opened = _ns(behaviour.headers_ms)
    timed = list(_timed(encoded, behaviour, faults, schedule))
    if "comments" in faults:
        timed = _with_comments(timed, opened)
    if "merged" in faults:
        timed = list(_merged(timed))
    written = head(200, "text/event-stream", id_header, "transfer-encoding: chunked")
    frames = [_frame(opened, written), *(_chunked(item) for item in timed)]
    ending = _ending(faults, Ending.KEEP)
    if ending is Ending.KEEP:
        frames.append(_ended(frames.pop()))
    if ending is Ending.RESET:
        frames.append(_frame(frames[-1].due_ns + RESET_DELAY_NS, b""))
    return Script(tuple(_split(frames) if "split" in faults else frames), ending, 200)


def _timed(
    encoded: Encoded,
    behaviour: Behaviour,
    faults: frozenset[str],
    schedule: tuple[int, ...],
) -> Iterator[_Timed]:
    opened = _ns(behaviour.headers_ms)
    yield from (_Timed(opened, data, 0, 0) for data in encoded.opening)
    last = schedule[0]
    step = 0
    said = 0
    for event in _until_cut(encoded.body, behaviour, faults):
        last, said = schedule[min(step, len(schedule) - 1)], event.tokens
        step += event.content
        yield _Timed(last, event.data, int(event.content), said)
    if "error-event" in faults:
        yield _Timed(last, encoded.broken, 0, said)
    elif not faults & CUTS:
        yield from (_Timed(last, data, 0, said) for data in encoded.closing)


def _until_cut(
    body: Sequence[Event],
    behaviour: Behaviour,
    faults: frozenset[str],
) -> Iterable[Event]:
    if not faults & CUTS or not body:
        return body
    cut = behaviour.fail_after_tokens
    limit = body[-1].tokens // 2 if cut is None else cut
    return (event for event in body if event.tokens <= limit)


def _ending(faults: frozenset[str], otherwise: Ending) -> Ending:
    if "stall" in faults:
        return Ending.HANG
    if "reset" in faults:
        return Ending.RESET
    return Ending.CLOSE if "truncated" in faults else otherwise


def _with_comments(timed: list[_Timed], opened: int) -> list[_Timed]:
    """Comments while the client waits and now and then later; every line ends with CRLF."""
    first = next((item.due_ns for item in timed if item.contents), opened)
    waiting = [_Timed(due_ns, COMMENT, 0, 0) for due_ns in (opened, (opened + first) // 2)]
    later = [item._replace(data=COMMENT, contents=0) for item in timed[9:-1:10]]
    mixed = sorted([*timed, *waiting, *later], key=lambda item: item.due_ns)
    return [item._replace(data=item.data.replace(b"\n", b"\r\n")) for item in mixed]


def _merged(timed: list[_Timed]) -> Iterator[_Timed]:
    for start in range(0, len(timed), EVENTS_PER_MERGED_WRITE):
        group = timed[start : start + EVENTS_PER_MERGED_WRITE]
        contents = sum(item.contents for item in group)
        data = b"".join(item.data for item in group)
        yield _Timed(group[-1].due_ns, data, contents, group[-1].tokens)


def _split(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    return tuple(part for frame in frames for part in _parts(frame))


def _parts(frame: Frame) -> Iterator[Frame]:
    """Cut inside the chunk size, inside the event and between the two line ends that close it."""
    data = PLACEHOLDER.join(frame.parts)
    cuts = sorted({0, 2, len(data) // 2, len(data) - 3, len(data)})
    safe = [cut for cut in cuts if 0 <= cut <= len(data) and not _inside_id(data, cut)]
    pieces = [data[start:stop] for start, stop in pairwise(safe)] or [data]
    for number, piece in enumerate(pieces, start=1):
        due = frame.due_ns + (number - 1) * NS_BETWEEN_SPLIT_WRITES
        done = number == len(pieces)
        yield _frame(due, piece, frame.contents if done else 0, frame.tokens)


def _inside_id(data: bytes, cut: int) -> bool:
    size = len(PLACEHOLDER)
    return PLACEHOLDER in data[max(0, cut - size + 1) : cut + size - 1]


def _chunked(item: _Timed) -> Frame:
    return _frame(item.due_ns, chunk(item.data), item.contents, item.tokens)


def _ended(frame: Frame) -> Frame:
    *before, last = frame.parts
    return frame._replace(parts=(*before, last + b"0\r\n\r\n"))


def _frame(due_ns: int, data: bytes, contents: int = 0, tokens: int = 0) -> Frame:
    return Frame(due_ns, tuple(data.split(PLACEHOLDER)), contents, tokens)


def _ns(ms: float) -> int:
    return round(ms * 1_000_000)


_PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    529: "Overloaded",
}
