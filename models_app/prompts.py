"""The built-in prompt packs: one prompt each, so that figures of one pack are comparable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptPack:
    """`expected_tokens` is the usual length of an answer, in output tokens."""

    id: str
    name: str
    prompt: str
    expected_tokens: int


_PACKS = (
    PromptPack(
        "health_check",
        "Health check",
        "Count from 1 to 20, each number on a new line.",
        30,
    ),
    PromptPack(
        "shakespeare",
        "Shakespeare",
        "Compose a soliloquy about time as Shakespeare might have, in iambic pentameter, "
        "of ten to twelve lines, with at least one metaphor.",
        150,
    ),
    PromptPack(
        "synthetic_short",
        "Short answer",
        "In three sentences, say what an application programming interface is.",
        50,
    ),
    PromptPack(
        "synthetic_medium",
        "Medium answer",
        "How does photosynthesis work? Name the molecules that take part, tell the light-dependent "
        "reactions from the Calvin cycle, and say what life on Earth owes to it. "
        "Answer in two or three paragraphs.",
        200,
    ),
    PromptPack(
        "synthetic_long",
        "Long answer",
        "A friend wants to open a small shop and asks you for a plan. Write one under these "
        "headings, a paragraph for each: finding out whether anybody wants it; the business plan; "
        "legal form and registration; money; premises and suppliers; first customers; the mistakes "
        "most beginners make.",
        500,
    ),
    PromptPack(
        "code_generation",
        "Code generation",
        "Implement binary search over a sorted list in Python, typed and documented, with the "
        "empty list and the missing item handled, and end with one example call.",
        150,
    ),
    PromptPack(
        "reasoning",
        "Reasoning",
        "A train leaves at 09:40 and needs 2 h 35 min; a second one leaves 25 minutes later and is "
        "20 minutes faster. Which of them arrives first, and by how much? Show each step.",
        100,
    ),
)
PROMPT_PACKS: dict[str, PromptPack] = {pack.id: pack for pack in _PACKS}
