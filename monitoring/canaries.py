"""The content canary: an answer that lacks the expected text is no good answer."""

from __future__ import annotations

from dataclasses import replace

from providers.errors import ErrorClass, Failure
from providers.measurement import Outcome

SHOWN = 80


def with_canary(outcome: Outcome, expected_text: str | None) -> Outcome:
    """The outcome, made a failure when it answered without the expected text.

    Case and white space do not matter.
    """
    if not expected_text or not outcome.ok or _plain(expected_text) in _plain(outcome.text):
        return outcome
    sentence = f'The answer does not contain the expected text "{_shortened(expected_text)}".'
    return replace(outcome, failure=Failure(ErrorClass.ASSERTION, sentence))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
