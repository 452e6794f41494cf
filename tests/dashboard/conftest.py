from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client


@pytest.fixture
def browser() -> Client:
    """A browser on this machine that has not signed in."""
    return Client(headers={"Host": "localhost", "Accept": "text/html"})


@pytest.fixture
def text_of(browser: Client) -> Callable[[str], str]:
    """What a page says; it must be there."""

    def read(url: str) -> str:
        answer = browser.get(url)
        assert answer.status_code == 200, url
        return answer.content.decode()

    return read
