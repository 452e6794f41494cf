from __future__ import annotations

import os
import tempfile

# Before Django reads its settings: tests never touch the data of a real installation.
os.environ["ARGUSLM_DATA_DIR"] = tempfile.mkdtemp(prefix="arguslm-tests-")
for name in ("DATABASE_URL", "REDIS_URL", "API_AUTH", "ALLOWED_HOSTS", "ARGUSLM_HOST", "DEBUG"):
    os.environ.pop(name, None)

import pytest
from rest_framework.test import APIClient


@pytest.fixture
def api() -> APIClient:
    """A client on this machine, as `curl` is: no token, loopback address."""
    return APIClient(HTTP_HOST="localhost", REMOTE_ADDR="127.0.0.1")
