"""The tests of whole apps once more, on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import postgres

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgres.is_installed(), reason="no PostgreSQL on this machine"),
]


@pytest.mark.parametrize("app", ["alerts", "monitoring"])
def test_an_app_works_on_postgresql(app: str) -> None:
    command = [sys.executable, "-m", "pytest", f"tests/{app}", "-q", "-p", "no:cacheprovider"]
    with postgres.running_postgres() as url:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"TEST_DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=900,
        )
    assert ended.returncode == 0, ended.stdout[-5000:]
