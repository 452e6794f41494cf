"""What a simulated model says: the text, cut into chunks whose token counts are exact."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import islice

from providers.simulator.behaviour import Behaviour

_STORY = (
    "The harbour wakes before the town does . Nets dry on the low wall , and the first boats slip "
    "out between the two green lights . An old clerk writes down each name , the hour and the "
    "weather , because somebody will ask for it later . By noon the wind has turned , the gulls "
    "have gone inland , and the market smells of salt and oranges . Nothing here is hurried , yet "
    "everything arrives on the day it was promised ."
)
_THOUGHT = (
    "First I look at what is asked , then at what is given . Two facts matter and the rest can "
    "wait . If the first one holds , the second follows from it , so I check the first one again . "
    "It does hold . Now I put the steps in order and say them plainly ."
)
_ANSWER = tuple(_STORY.split())
_REASONING = tuple(_THOUGHT.split())
_UNICODE = ("Größe", "東京", "naïve", "—", "café", "✓", "Ωmega", "🌊", "мост", "résumé")
_COUNT = re.compile(r"(?is)\bcount\b.{0,40}?\b(\d{1,4})\b.{0,20}?\b(\d{1,4})\b")
DEFAULT_THOUGHTS = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk of text; `tokens` is its own count."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Speech:
    """`finish` is `stop`, `length` or `content_filter`; `silent_chunks` pass before the answer."""

    reasoning: tuple[Piece, ...]
    answer: tuple[Piece, ...]
    reasoning_tokens: int
    answer_tokens: int
    finish: str
    silent_chunks: int = 0

    @property
    def tokens(self) -> int:
        return self.reasoning_tokens + self.answer_tokens

    @property
    def answer_text(self) -> str:
        return "".join(piece.text for piece in self.answer)

    @property
    def reasoning_text(self) -> str:
        return "".join(piece.text for piece in self.reasoning)


def counting_range(prompt: str) -> tuple[int, int] | None:
    """The numbers a "count from 1 to 20" prompt asks for."""
    found = _COUNT.search(prompt[-2000:])
    if found is None:
        return None
    low, high = int(found[1]), int(found[2])
    return (low, high) if low <= high else None


def compose(
    behaviour: Behaviour,
    faults: frozenset[str],
    limit: int | None,
    count: tuple[int, int] | None,
) -> Speech:
    """Plan the speech; `limit` cuts reasoning first, then the answer, as max_tokens does."""
    thoughts, length = _lengths(behaviour, faults)
    budget = thoughts + length if limit is None else limit
    thinking = min(thoughts, budget)
    answering = min(length, budget - thinking)
    finish = "length" if thoughts + length > budget or "thinking-only" in faults else "stop"
    if "content-filter" in faults:
        finish = "content_filter"
    hidden = behaviour.reasoning_style == "hidden"
    size = behaviour.tokens_per_chunk
    return Speech(
        reasoning=() if hidden else _pieces(_cycle(_REASONING, thinking), size),
        answer=_pieces(_answer_tokens(behaviour, answering, count), size),
        reasoning_tokens=thinking,
        answer_tokens=answering,
        finish=finish,
        silent_chunks=math.ceil(thinking / size) if hidden else 0,
    )


def _lengths(behaviour: Behaviour, faults: frozenset[str]) -> tuple[int, int]:
    length = behaviour.tokens if behaviour.answer is None else len(_spelled(behaviour.answer))
    if "empty" in faults:
        return 0, 0
    if "thinking-only" in faults:
        return behaviour.reasoning_tokens or DEFAULT_THOUGHTS, 0
    if "content-filter" in faults:
        return 0, min(length, behaviour.fail_after_tokens or 0)
    return behaviour.reasoning_tokens, length


def _answer_tokens(behaviour: Behaviour, n: int, count: tuple[int, int] | None) -> list[str]:
    if behaviour.answer is not None:
        return _spelled(behaviour.answer)[:n]
    if behaviour.kind == "unicode":
        return _cycle(_UNICODE, n)
    if count is None:
        return _cycle(_ANSWER, n)
    low, high = count
    numbers = [str(low), *(f", {number}" for number in islice(range(low + 1, high + 1), n))]
    return [*numbers[:n], *_cycle((".", *_ANSWER), max(0, n - len(numbers)))]


def _spelled(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*\Z|\s*\S+", text)


def _cycle(words: tuple[str, ...], n: int) -> list[str]:
    """n tokens of running text; punctuation clings to the word before it."""
    text = (words[i % len(words)] for i in range(n))
    return [word if not i or word in ".," else f" {word}" for i, word in enumerate(text)]


def _pieces(tokens: list[str], size: int) -> tuple[Piece, ...]:
    starts = range(0, len(tokens), size)
    groups = (tokens[start : start + size] for start in starts)
    return tuple(Piece("".join(group), len(group)) for group in groups)
