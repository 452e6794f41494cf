from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import FAULT, PASSING, ErrorClass, Failure, Fault, sanitise

KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90"


def test_every_error_class_names_whose_fault_it_is() -> None:
    assert set(FAULT) == set(ErrorClass)
    assert [c.value for c in ErrorClass if FAULT[c] is Fault.ACCOUNT] == [
        "rate_limited",
        "quota",
        "auth",
    ]
    assert [c.value for c in ErrorClass if FAULT[c] is Fault.CONFIGURATION] == [
        "not_found",
        "bad_request",
        "no_answer",
    ]


def test_only_what_may_pass_by_itself_is_confirmed_again() -> None:
    assert {c.value for c in set(ErrorClass) - PASSING} == {
        "rate_limited",
        "quota",
        "auth",
        "not_found",
        "bad_request",
        "no_answer",
        "content_filter",
        "assertion",
    }


def test_a_failure_knows_its_fault() -> None:
    failure = Failure(ErrorClass.EMPTY, "Nothing came.")

    assert failure.fault is Fault.PROVIDER
    assert failure.is_passing


@pytest.mark.parametrize(
    "echo",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-proj-********************Ij90.",
        "Incorrect API key provided: sk-pr...Ij90",
        "key sk-proj-Ab1********* is wrong",
        f"the second half {KEY[6:]} leaked",
        "Authorization: Bearer zzzzzzzzzzzz",
        f"GET https://api.example/v1?key={KEY}&alt=sse",
        "https://user:hunter22@api.example/v1",
        '{"api_key": "hunter2222"}',
        "x-api-key=hunter2222",
        "another account's sk-ant-REDACTED0123456789",
        "AIzaSyA1234567890abcdefghij",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhcmd1cyJ9.QWIxMkNkMzQ was refused",
    ],
)
def test_no_part_of_a_key_survives_an_echo(echo: str) -> None:
    clean = sanitise(echo, [KEY])

    for part in (
        KEY,
        KEY[6:],
        "Ab1",
        "Ij90",
        "hunter22",
        "zzzzzzzz",
        "REDACTED0123456789",
        "AIza",
        "eyJ",
        "QWIx",
    ):
        assert part not in clean
    assert "[hidden]" in clean


def test_plain_sentences_stay_as_they_are() -> None:
    sentence = "The model `gpt-9` does not exist... or you do not have access to it."

    assert sanitise(sentence, [KEY]) == sentence


def test_control_characters_and_line_breaks_become_one_line() -> None:
    assert sanitise("a\x00b\r\n\tc \u202eevil\ud800") == "a b c evil\ufffd"


def test_a_long_text_is_bounded_and_says_so() -> None:
    clean = sanitise("word " * 10_000)

    assert len(clean) <= 500
    assert clean.endswith("…")


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_secret_never_survives_whatever_surrounds_it(before: str, after: str) -> None:
    clean = sanitise(before + KEY + after, [KEY], limit=10_000)

    assert KEY not in clean
    assert KEY[4:18] not in clean


@given(st.text())
def test_any_text_becomes_a_bounded_printable_line(text: str) -> None:
    clean = sanitise(text, ["secret-value"])

    assert len(clean) <= 500
    assert "\n" not in clean
    clean.encode()
