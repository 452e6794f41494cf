"""Whatever a server writes, an exchange ends as an outcome with a class and a clean sentence."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange
from providers.adapters.endpoint import Protocol
from providers.errors import ErrorClass
from providers.measurement import FIGURES, Outcome

pytestmark = pytest.mark.usefixtures("warm")
KEY = "sk-live-Ab12Cd34Ef56Gh78Ij90"
REQUEST = ChatRequest("m", "p", max_tokens=5)

words = st.sampled_from(
    [
        *("choices", "delta", "content", "finish_reason", "usage", "error", "message", "type"),
        *("index", "role", "text", "reasoning_content", "completion_tokens", "prompt_tokens"),
        *("tool_calls", "function", "arguments", "stop_reason", "output_tokens", "model"),
        *("content_block", "partial_json", "thinking", "total_tokens", "prompt_tokens_details"),
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
deltas = st.fixed_dictionaries({"choices": st.lists(st.dictionaries(words, anything), max_size=2)})
kinds = st.sampled_from(
    [
        *("message_start", "content_block_start", "content_block_delta", "message_delta"),
        *("message_stop", "ping", "error"),
    ]
)
claude = st.fixed_dictionaries(
    {"type": kinds},
    optional=dict.fromkeys(("delta", "message", "usage", "error", "content_block"), anything),
)
sound = st.sampled_from(
    [
        b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n',
        b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
        b"data: [DONE]\n\n",
        b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n',
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
        b'data: {"type":"message_stop"}\n\n',
        b": comment\n\n",
        b'data: {"error":{"message":"bad key ' + KEY.encode() + b'"}}\n\n',
    ]
)
events = st.one_of(
    sound,
    sound,
    (deltas | claude | anything).map(lambda value: f"data: {json.dumps(value)}\n\n".encode()),
    st.binary(max_size=40),
    st.just(KEY.encode()),
)
statuses = st.sampled_from([200, 200, 200, 200, 204, 301, 400, 401, 402, 403, 404, 418, 422, 429])
others = st.integers(100, 999)
fields = st.lists(
    st.sampled_from(
        [
            b"content-type: text/event-stream",
            b"content-type: text/html",
            b"content-encoding: gzip",
            b"content-encoding: br",
            b"transfer-encoding: chunked",
            b"content-length: 10",
            b"content-length: 100000",
            b"content-length: x",
            b"retry-after: " + KEY.encode(),
            b"x-request-id: " + KEY.encode(),
            b"location: https://user:" + KEY.encode() + b"@elsewhere.example/",
            b"broken",
            b"connection: close",
        ]
    ),
    max_size=4,
)
endings = st.sampled_from(["close", "close", "reset", "stay"])


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[bytes], str]:
    """What a server writes, cut anywhere, and how it ends."""
    if draw(st.integers(0, 9)) == 0:
        whole = draw(st.binary(max_size=200))
    else:
        status = draw(statuses | others)
        lines = [b"HTTP/1.1 %d Reason" % status, *draw(fields)]
        body = b"".join(draw(st.lists(events, max_size=6)))
        if draw(st.booleans()):
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            lines.append(b"transfer-encoding: chunked")
        whole = b"\r\n".join(lines) + b"\r\n\r\n" + body
    cuts = draw(st.lists(st.integers(0, max(len(whole), 1)), max_size=3))
    edges = sorted({0, *cuts, len(whole)})
    return [whole[a:b] for a, b in pairwise(edges)], draw(endings)


class Stand:
    """A server, a client pool and their loop, kept for all examples."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.pool = ClientPool()
        self.pieces: list[bytes] = []
        self.ending = "close"
        self.server = self.runner.run(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if self.ending == "stay":
                await reader.read()
            if self.ending == "reset":
                linger = struct.pack("ii", 1, 0)
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def ask(self, protocol: Protocol) -> Outcome:
        endpoint = Endpoint(
            "custom_openai_compatible",
            f"http://127.0.0.1:{self.port}/v1",
            protocol,
            KEY,
            connect_timeout_s=2.0,
            ttft_timeout_s=0.15,
            total_timeout_s=0.2,
        )
        return self.runner.run(exchange(endpoint, REQUEST, clients=self.pool))

    def close(self) -> None:
        self.server.close()
        self.runner.run(self.pool.close())
        self.runner.close()


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    opened = Stand()
    yield opened
    opened.close()


@settings(max_examples=250, deadline=None)
@given(answer=answers(), protocol=st.sampled_from(get_args(Protocol)))
def test_every_answer_becomes_an_outcome_with_a_clean_sentence(
    stand: Stand, answer: tuple[list[bytes], str], protocol: Protocol
) -> None:
    stand.pieces, stand.ending = answer

    outcome = stand.ask(protocol)

    told: list[Any] = [outcome.text, outcome.finish_reason, outcome.model_reported]
    told += [outcome.fingerprint, outcome.request_id, repr(outcome.failure)]
    assert KEY not in repr(told)
    figures = outcome.figures()
    assert set(figures) == {*FIGURES, "quality_flags"}
    if outcome.failure is None:
        assert figures["ttft_ms"] is not None
        return
    assert outcome.failure.error_class in set(ErrorClass)
    assert 10 < len(outcome.failure.message) <= 500
    assert outcome.failure.message[0].isupper() or outcome.failure.message.startswith("127.")
    assert figures["ttft_ms"] is None
