from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.tokens import estimate_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("The quick brown fox jumps over the lazy dog.", 11),
        ("Привет, мир", 5),
        ("今日は天気がいい", 8),
        ("🙂🙂", 2),
    ],
)
def test_an_estimate_follows_the_script_of_the_text(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, two: str) -> None:
    assert estimate_tokens(one + two) >= max(estimate_tokens(one), estimate_tokens(two))
    assert estimate_tokens(one + two) <= estimate_tokens(one) + estimate_tokens(two)
