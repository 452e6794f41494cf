"""What makes a figure doubtful: the quality flags of a measurement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from providers.measurement import Chunk, Measurement

_CHARS = attrgetter("chars")
LAG_LIMIT_MS = 5.0
QUEUE_LIMIT_MS = 5.0
BUFFERED_MIN_TOKENS = 20
# Of so few tokens the last one alone may be most of the text, so lateness takes several.
LATE_MIN_CHUNKS = 3
# Nothing on the market writes one stream this fast: the tokens waited somewhere and came at once.
BURST_MS_PER_TOKEN = 0.05


def flags_of(seen: Measurement) -> frozenset[str]:
    """The flags that follow from the measurement itself."""
    return frozenset(name for name, test in FLAG_TESTS.items() if test(seen))


def is_buffered(seen: Measurement) -> bool:
    """Tokens that waited somewhere between the model and us, and then came together."""
    if not seen.chunks:
        return False
    count, is_long = seen.tokens.output or 0, (seen.tokens.output or 0) > BUFFERED_MIN_TOKENS
    first_ns, last_ns = seen.chunks[0].at_ns, seen.chunks[-1].at_ns
    if is_long and last_ns - first_ns < count * BURST_MS_PER_TOKEN * 1e6:
        return True
    if is_long and not any(first_ns < chunk.at_ns < last_ns for chunk in seen.chunks):
        return True
    late = _late(seen.chunks, last_ns - (last_ns - first_ns) / 10)
    return (is_long or len(late) >= LATE_MIN_CHUNKS) and _share(late, seen.chunks) >= 0.9


def _late(chunks: Sequence[Chunk], from_ns: float) -> list[Chunk]:
    return list(takewhile(lambda chunk: chunk.at_ns >= from_ns, reversed(chunks)))


def _share(some: Sequence[Chunk], chunks: Sequence[Chunk]) -> float:
    total = sum(map(_CHARS, chunks))
    return sum(map(_CHARS, some)) / total if total else 0.0


def miscounts(seen: Measurement) -> bool:
    """The reported number of tokens cannot be that of the text, so no speed follows from it."""
    return "usage_mismatch" in seen.noted and seen.tokens.source == "usage"


def hides_reasoning(seen: Measurement) -> bool:
    return bool(seen.tokens.reasoning) and not seen.has_visible_reasoning


# No time per token follows from a stream with one of these.
SPOILS_SPEED = frozenset({"buffered_stream", "hidden_reasoning"})
FLAG_TESTS: dict[str, Callable[[Measurement], bool]] = {
    "buffered_stream": is_buffered,
    "single_chunk": lambda seen: len(seen.chunks) == 1 and seen.tokens.output != 1,
    "tokens_estimated": lambda seen: seen.tokens.source == "estimated",
    "cache_hit": lambda seen: bool(seen.tokens.cached),
    "hidden_reasoning": hides_reasoning,
    "cold_connection": lambda seen: seen.conn1_ns is not None,
    "client_lag": lambda seen: (seen.max_lag_ms or 0.0) > LAG_LIMIT_MS,
    "queue_wait": lambda seen: (seen.queue_wait_ms or 0.0) > QUEUE_LIMIT_MS,
}
