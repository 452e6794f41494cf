"""When two providers mean the same model."""

from __future__ import annotations


def canonical_name(name: str) -> str:
    """Case-folded and without what stands before the last slash.

    ``openai/gpt-4`` and ``GPT-4`` are one model, ``gpt-4`` and ``gpt-4o`` are two.
    """
    whole = name.strip().casefold()
    return whole.rstrip("/").rpartition("/")[2] or whole
