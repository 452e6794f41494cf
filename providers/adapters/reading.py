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
from providers.adapters.sse import Splitter, SseEvent
from providers.adapters.stencil import Stencil, stencil_of
from providers.measurement import Chunk, TokenCounts, TokenSource, Trace
from providers.tokens import estimate_tokens

_TEXTS = (Content, Reasoning, ToolCall)
TEXT_LIMIT = 20_000
HEAD_LIMIT = 4_096
INFLATED_LIMIT = 64 * 1024 * 1024
# More characters per token than any language or code has: the count cannot be of this text.
MAX_CHARS_PER_TOKEN = 20
# Nor has any text so many tokens: one per letter of ASCII, and some that stand for its structure.
MAX_TOKENS_PER_ESTIMATED, UNSEEN_TOKENS = 4, 32
# A stream whose events differ in more than the text is read the long way after this many tries.
STENCIL_TRIES = 8
# Through a stencil a tenth of a millisecond; other streams wait that long to be read.
PIECES_AT_ONCE = 64


class Unreadable(Exception):
    """The body cannot be turned into text."""


class Reading:
    """Catches up with a trace whenever asked; classifies, never stamps."""

    def __init__(self, decoder: Decoder, splitter: Splitter, encoding: str = "") -> None:
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
        self._splitter = splitter
        self._unpack = _unpacker(encoding)
        self._taken = 0
        self._stencil: Stencil | None = None
        self._stencil_tries = 0
        self._chunks_before_other = 0

    @property
    def is_end_mixed(self) -> bool:
        """Whether something else came in one read with the last content, after it."""
        return 0 < self._chunks_before_other == len(self.chunks)

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

    def catch_up(self, trace: Trace, limit: int = PIECES_AT_ONCE) -> None:
        """Takes up to ``limit`` pieces that came since the last call. Raises Unreadable."""
        pieces = trace.pieces[self._taken : self._taken + limit]
        while pieces:
            lone = self._take_lone(pieces)
            for at_ns, piece in pieces[lone : lone + 1]:
                self._taken += 1
                self._read(at_ns, self._unpack(piece))
            del pieces[: lone + 1]

    def _take_lone(self, pieces: list[tuple[int, bytes]]) -> int:
        """The shortest way, for the usual stream: each piece one event that fits the stencil."""
        stencil = self._stencil
        if stencil is None or self._unpack is not bytes or not self._splitter.is_idle:
            return 0
        texts = stencil.lone_texts(pieces)
        if texts:
            self._taken += len(texts)
            stamps = [at_ns for at_ns, _ in pieces[: len(texts)]]
            self._add_plain(texts, stamps, stencil.is_answer)
        return len(texts)

    def _add_plain(self, texts: list[str], stamps: list[int], is_answer: bool) -> None:
        self._stencil_tries = 0
        self.event_count += len(texts)
        (self._answer if is_answer else self._beside).extend(texts)
        pairs = zip(stamps, texts, strict=True)
        self.chunks.extend([Chunk(at_ns, len(text), is_answer) for at_ns, text in pairs])

    def _read(self, at_ns: int, data: bytes) -> None:
        if not self.event_count:
            self.head += data[: HEAD_LIMIT - len(self.head)]
        while data:
            if self._stencil is not None and self._splitter.is_idle:
                data = self._take_plain(self._stencil, at_ns, data)
            end = self._end_of_lesson(data)
            self._read_slowly(at_ns, data[:end])
            data = data[end:]

    def _read_slowly(self, at_ns: int, data: bytes) -> None:
        was_idle, found = self._splitter.is_idle, None
        events = self._splitter.feed(at_ns, data)
        for event in events:
            found = self._take(event)
        if found is not None and was_idle and len(events) == 1 and self._may_learn:
            self._stencil_tries += 1
            self._stencil = stencil_of(data, found, self._decoder) or self._stencil

    @property
    def _may_learn(self) -> bool:
        return self._stencil_tries < STENCIL_TRIES and bool(self.chunks)

    def _end_of_lesson(self, data: bytes) -> int:
        """Where the first event of ``data`` ends, as long as one could be learned from."""
        end = data.find(b"\n\n") + 2 if self._stencil_tries < STENCIL_TRIES else 0
        return end if end > 1 else len(data)

    def _take_plain(self, stencil: Stencil, at_ns: int, data: bytes) -> bytes:
        """Takes the events that fit the stencil; the rest of the bytes is the result."""
        texts, end = stencil.texts(data)
        if texts:
            self._add_plain(texts, [at_ns] * len(texts), stencil.is_answer)
        return data[end:]

    def finish(self) -> None:
        """Takes the last event even when its closing blank line is missing."""
        for event in self._splitter.finish():
            self._take(event)

    def tokens(self, prompt: str) -> TokenCounts:
        """Counts by ``usage``; estimated from characters when the server sent none that fits."""
        usage = self.usage
        output, source = usage.output, "usage"
        if not output and self.chunks:
            output, source = self._estimate, "estimated"
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
        """The reported count cannot belong to what was seen: far too low, or far too high."""
        output = self.usage.output
        if output is None or not self.chunks:
            return False
        chars = sum(chunk.chars for chunk in self.chunks)
        if chars > output * MAX_CHARS_PER_TOKEN:
            return True
        shown = output - (0 if self.has_reasoning else self.usage.reasoning or 0) - UNSEEN_TOKENS
        # The estimate is at least a quarter of the letters, so most texts need none.
        return shown > chars and shown > self._estimate * MAX_TOKENS_PER_ESTIMATED

    @property
    def _estimate(self) -> int:
        return estimate_tokens("".join((*self._answer, *self._beside)))

    def _take(self, event: SseEvent) -> list[Event]:
        self.event_count += 1
        found = self._decoder.decode(event)
        if not event.is_complete and any(isinstance(one, Garbled) for one in found):
            return []  # cut off in mid-event: the missing end tells, not the fragment
        had_chunks, before = bool(self.chunks), self.usage.output
        for one in found:
            self._note(one)
        self._add_chunk(event.at_ns, found)
        if self.chunks and not had_chunks and self.usage.output != before:
            self._first_tokens = self.usage.output
        return found

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
        texts = [one for one in found if isinstance(one, _TEXTS)]
        if texts:
            chars = sum(len(one.text) for one in texts)
            is_answer = any(not isinstance(one, Reasoning) for one in texts)
            self.chunks.append(Chunk(at_ns, chars, is_answer))
        elif self.chunks and self.chunks[-1].at_ns == at_ns:
            self._chunks_before_other = len(self.chunks)


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
