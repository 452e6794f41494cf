from __future__ import annotations

import pytest
from rest_framework.test import APIClient


@pytest.fixture
def api() -> APIClient:
    """A client on this machine, as `curl` is: no token, loopback address."""
    return APIClient(HTTP_HOST="localhost", REMOTE_ADDR="127.0.0.1")
