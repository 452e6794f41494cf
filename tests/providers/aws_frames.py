"""Amazon's event-stream frames, as a server writes them."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any


def frame(payload: bytes, **headers: str) -> bytes:
    """Underscores in the names of headers stand for hyphens; all begin with a colon."""
    head = b"".join(
        bytes([len(name) + 1]) + f":{name.replace('_', '-')}".encode() + b"\x07" + _text(value)
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


def event(name: str, body: Any) -> bytes:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return frame(payload, event_type=name, content_type="application/json", message_type="event")


def exception(name: str, message: str) -> bytes:
    body = json.dumps({"message": message}).encode()
    return frame(body, exception_type=name, message_type="exception")


def delta(**parts: Any) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": 0, "delta": parts, "p": "abcdef"})


USAGE = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 11, "cacheReadInputTokens": 4}
CONVERSE = [
    event("messageStart", {"role": "assistant"}),
    delta(text="Hello"),
    delta(text=" there"),
    event("contentBlockStop", {"contentBlockIndex": 0}),
    event("messageStop", {"stopReason": "end_turn"}),
    event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 210}}),
]
