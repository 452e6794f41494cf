from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from arguslm.environment import Environment, address_of


def read(text: str) -> Environment:
    env = Environment()
    env.ENVIRON = {"X": text}
    return env


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_counts_as_not_set(text: str) -> None:
    assert read(text).port("X", 8000) == 8000
    assert read(text).list("X", default=["localhost"]) == ["localhost"]
    assert read(text).str("X", "auto") == "auto"
    assert read(text).bool("X", False) is False


@pytest.mark.parametrize("password", ["$ecret", "$PATH", "a b", " padded ", "#1", "x,y"])
def test_a_password_is_taken_as_it_is(password: str) -> None:
    assert read(password).str("X", "") == password


def test_names_are_separated_by_commas_with_or_without_blanks() -> None:
    assert read("a, b ,,c").list("X") == ["a", "b", "c"]


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("ON", True), ("0", False)])
def test_flags_are_words_for_yes_and_no(text: str, flag: bool) -> None:
    assert read(text).bool("X") is flag


WRONG: list[tuple[str, Callable[[Environment], Any]]] = [
    ("maybe", lambda env: env.bool("X")),
    ("abc", lambda env: env.port("X", 1)),
    ("65536", lambda env: env.port("X", 1)),
    ("loud", lambda env: env.choice("X", "INFO", ("INFO", "DEBUG"))),
    ("/dev/null/below", lambda env: env.directory("X", Path())),
]


@pytest.mark.parametrize(("text", "reading"), WRONG)
def test_a_wrong_value_is_named_with_its_variable(
    text: str, reading: Callable[[Environment], Any]
) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^X\b.*{text}.*\.$"):
        reading(read(text))


def test_a_choice_is_found_in_any_case() -> None:
    assert read("debug").choice("X", "INFO", ("INFO", "DEBUG")) == "DEBUG"


@pytest.mark.parametrize("url", ["garbage", "mysql://user:hidden@host/name", "foo://u:hidden@h"])
def test_an_unknown_database_is_refused_without_its_password(
    url: str, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must look like") as refused:
        Environment().database(url)
    assert "hidden" not in str(refused.value)
    assert not recwarn


def test_a_mail_address_without_a_known_scheme_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL must look like"):
        Environment().mail("garbage")
    assert Environment().mail("smtp+tls://u:p@mail.example:587")["EMAIL_USE_TLS"]


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_stands_in_brackets_in_links(host: str) -> None:
    assert address_of(host, 8000) == "http://[::1]:8000"
    assert address_of("argus.example", 80) == "http://argus.example:80"
