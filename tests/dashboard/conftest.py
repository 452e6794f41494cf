from __future__ import annotations

import pytest
from django.test import Client


@pytest.fixture
def browser() -> Client:
    """A browser on this machine that has not signed in."""
    return Client(headers={"Host": "localhost", "Accept": "text/html"})
