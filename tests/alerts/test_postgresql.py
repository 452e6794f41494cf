"""The tests of alerts once more, on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import postgres

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgres.is_installed(), reason="no PostgreSQL on this machine"),
]


def test_alerts_works_on_postgresql() -> None:
    command = [sys.executable, "-m", "pytest", "tests/alerts", "-q", "-p", "no:cacheprovider"]
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
