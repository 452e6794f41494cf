from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters import Endpoint
from providers.echoes import conceal, holds_secret
from providers.errors import sanitise

KEY = "sk-proj/Ab12+Cd34&Ef56=Gh78 Ij90"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda text: quote(text, safe=""),
    "url with slashes": quote,
    "form": quote_plus,
    "url in lower case": lambda text: re.sub("%..", lambda m: m[0].lower(), quote(text)),
    "json": lambda text: json.dumps(text).replace("/", "\\/"),
    "html": html.escape,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a login": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 of a body": lambda text: base64.b64encode(f'{{"k":"{text}"}}'.encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(f"~{text}".encode()).decode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_is_hidden_however_it_is_encoded(encoding: str) -> None:
    echo = ENCODINGS[encoding](KEY)

    shown = [sanitise(f"You sent <{echo}>.", [KEY]), conceal(f"You sent <{echo}>.", [KEY])]

    assert holds_secret(echo, [KEY])
    for text in shown:
        assert "[hidden]" in text
        assert not any(echo[i : i + 10] in text for i in range(len(echo) - 9))


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_base64_of_anything_around_a_secret_does_not_bring_it_back(
    before: bytes, after: bytes
) -> None:
    shown = sanitise(base64.b64encode(before + KEY.encode() + after).decode(), [KEY], 10_000)

    assert "[hidden]" in shown
    assert len(shown.replace("[hidden]", "")) <= 4 * (len(before) + len(after)) / 3 + 8


@pytest.mark.parametrize("between", [" ", "\n", "\u200b", '", "', "-", " / ", '"},{"part":"'])
@pytest.mark.parametrize("size", [8, 9, 12, 16])
def test_a_key_cut_into_pieces_is_hidden(between: str, size: int) -> None:
    key = "Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"
    cut = between.join(key[i : i + size] for i in range(0, len(key), size))

    shown = sanitise(f"Not valid: {cut}!", [key])

    assert not any(key[i : i + 8] in shown for i in range(len(key) - 7))
    assert shown.startswith("Not valid: [hidden]")


def test_words_that_a_header_shares_with_a_sentence_stay() -> None:
    sentence = "The platform has no capacity for team blue."

    assert sanitise(sentence, ["team-platform-blue"]) == sentence


def test_what_is_public_in_an_address_is_no_secret() -> None:
    endpoint = Endpoint(
        "azure_openai",
        "https://r1.example/openai",
        api_key="0123456789abcdef",
        headers={"OpenAI-Organization": "org-123456", "X-Api": "Basic am9lOmh1bnRlcjI="},
        query={"api-version": "2024-10-21", "token": "q1w2e3r4"},
    )

    echo = "org-123456 2024-10-21 q1w2e3r4 am9lOmh1bnRlcjI= 0123456789abcdef"

    assert sanitise(echo, endpoint.secrets) == "org-123456 2024-10-21 [hidden] [hidden] [hidden]"


def test_concealing_keeps_the_text_but_for_the_secret() -> None:
    assert conceal(f"line one\nkey {KEY}!", [KEY]) == "line one\nkey [hidden]!"
