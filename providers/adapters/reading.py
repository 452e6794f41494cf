"""A stream read to its end: content chunks with their stamps, tokens, and how it ended."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from providers.adapters.events import (
    Content,
    Decoder,
    Done,
    Event,
    Finish,
    Garbled,
    Named,
    Reasoning,
    StreamError,
    ToolCall,
    Usage,
)
from providers.adapters.sse import SseEvent, SseSplitter
from providers.measurement import Chunk, TokenCounts, TokenSource, Trace
from providers.tokens import estimate_tokens

TEXT_LIMIT = 20_000
HEAD_LIMIT = 4_096
INFLATED_LIMIT = 64 * 1024 * 1024
# More characters per token than any language or code has: the count cannot be of this text.
MAX_CHARS_PER_TOKEN = 20


class Unreadable(Exception):
    """The body cannot be turned into text."""


class Reading:
    """Catches up with a trace whenever asked; classifies, never stamps."""

    def __init__(self, decoder: Decoder, encoding: str = "") -> None:
        self.chunks: list[Chunk] = []
        self.usage = Usage()
        self.names = Named()
        self.finish_reason: str | None = None
        self.error: StreamError | None = None
        self.garbled: Garbled | None = None
        self.is_done = False
        self.has_reasoning = False
        self.event_count = 0
        self.head = b""
        self._answer: list[str] = []
        self._beside: list[str] = []
        self._first_tokens: int | None = None
        self._decoder = decoder
        self._splitter = SseSplitter()
        self._unpack = _unpacker(encoding)
        self._taken = 0

    @property
    def is_complete(self) -> bool:
        """The stream said that it ended."""
        return self.is_done or self.finish_reason is not None

    @property
    def has_answer(self) -> bool:
        return any(chunk.is_answer for chunk in self.chunks)

    @property
    def text(self) -> str:
        return "".join(self._answer)[:TEXT_LIMIT]

    def is_behind(self, trace: Trace) -> bool:
        return self._taken < len(trace.pieces)

    def catch_up(self, trace: Trace, limit: int = 32) -> None:
        """Takes up to ``limit`` pieces that came since the last call. Raises Unreadable."""
        for at_ns, piece in trace.pieces[self._taken : self._taken + limit]:
            self._taken += 1
            plain = self._unpack(piece)
            self.head += plain[: HEAD_LIMIT - len(self.head)]
            for event in self._splitter.feed(at_ns, plain):
                self._take(event)

    def finish(self) -> None:
        """Takes the last event even when its closing blank line is missing."""
        for event in self._splitter.finish():
            self._take(event)

    def tokens(self, prompt: str) -> TokenCounts:
        """Counts by ``usage``; estimated from characters when the server sent none that fits."""
        usage = self.usage
        output, source = usage.output, "usage"
        if not output and self.chunks:
            output, source = estimate_tokens("".join((*self._answer, *self._beside))), "estimated"
        given = usage.input
        if given is None and source == "estimated":
            given = estimate_tokens(prompt)
        return TokenCounts(
            input=given,
            output=output,
            cached=usage.cached,
            reasoning=usage.reasoning,
            source=None if output is None else cast("TokenSource", source),
            first_chunk=max(self._first_tokens or 1, 1),
        )

    @property
    def is_usage_doubtful(self) -> bool:
        """The reported count cannot belong to what was seen."""
        if self.usage.output is None or not self.chunks:
            return False
        chars = sum(chunk.chars for chunk in self.chunks)
        return chars > self.usage.output * MAX_CHARS_PER_TOKEN

    def _take(self, event: SseEvent) -> None:
        self.event_count += 1
        found = self._decoder.decode(event)
        if not event.is_complete and any(isinstance(one, Garbled) for one in found):
            return  # cut off in mid-event: the missing end tells, not the fragment
        had_chunks, before = bool(self.chunks), self.usage.output
        for one in found:
            self._note(one)
        self._add_chunk(event.at_ns, found)
        if self.chunks and not had_chunks and self.usage.output != before:
            self._first_tokens = self.usage.output

    def _note(self, event: Event) -> None:
        match event:
            case Content(text):
                self._answer.append(text)
            case Reasoning(text):
                self.has_reasoning = True
                self._beside.append(text)
            case ToolCall(text):
                self._beside.append(text)
            case Usage():
                self.usage = _newer(self.usage, event)
            case Finish(reason):
                self.finish_reason = reason
            case StreamError():
                self.error = self.error or event
            case Garbled():
                self.garbled = self.garbled or event
            case Named():
                self.names = Named(
                    event.model or self.names.model, event.fingerprint or self.names.fingerprint
                )
            case Done():
                self.is_done = True

    def _add_chunk(self, at_ns: int, found: list[Event]) -> None:
        texts = [one for one in found if isinstance(one, Content | Reasoning | ToolCall)]
        if texts:
            chars = sum(len(one.text) for one in texts)
            is_answer = any(not isinstance(one, Reasoning) for one in texts)
            self.chunks.append(Chunk(at_ns, chars, is_answer))


def _newer(old: Usage, new: Usage) -> Usage:
    """Cumulative counts: the last known value of every field stands."""
    return Usage(
        old.input if new.input is None else new.input,
        old.output if new.output is None else new.output,
        old.cached if new.cached is None else new.cached,
        old.reasoning if new.reasoning is None else new.reasoning,
    )


def _unpacker(encoding: str) -> Callable[[bytes], bytes]:
    """Undoes Content-Encoding, which some proxies apply although nobody asked for it."""
    match encoding.strip().lower():
        case "" | "identity":
            return bytes
        case "gzip" | "x-gzip" | "deflate":
            return _Inflater()
        case other:
            return _Unpackable(other)


class _Inflater:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=47)  # 47: gzip or zlib, whichever header comes
        self._room = INFLATED_LIMIT

    def __call__(self, piece: bytes) -> bytes:
        try:
            plain = self._inner.decompress(piece, self._room)
        except zlib.error as exc:
            raise Unreadable("its compression is broken") from exc
        self._room -= len(plain)
        if self._room <= 0:
            raise Unreadable("it unpacks to more than 64 MiB")
        return plain


@dataclass(frozen=True, slots=True)
class _Unpackable:
    encoding: str

    def __call__(self, piece: bytes) -> bytes:
        raise Unreadable(f"it is packed as {self.encoding[:20]}, which was not asked for")
