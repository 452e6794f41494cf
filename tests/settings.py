"""The real settings on a data directory of their own: tests never touch an installation.

`TEST_DATABASE_URL` lets them run on PostgreSQL instead of SQLite.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from atexit import register

from cryptography.fernet import Fernet

_HERE = ("ARGUSLM_", "DATABASE_URL", "REDIS_URL", "API_AUTH", "ALLOWED_HOSTS", "SECRET_KEY")
for _name in [name for name in os.environ if name.startswith((*_HERE, "ENCRYPTION_KEY", "DEBUG"))]:
    del os.environ[_name]
os.environ["ARGUSLM_DATA_DIR"] = tempfile.mkdtemp(prefix="arguslm-tests-")
register(shutil.rmtree, os.environ["ARGUSLM_DATA_DIR"], ignore_errors=True)

_postgres = os.environ.get("TEST_DATABASE_URL")
if _postgres:
    os.environ["DATABASE_URL"] = _postgres
    os.environ["SECRET_KEY"] = "tests-only-" + "x" * 50
    os.environ["ENCRYPTION_KEY"] = Fernet.generate_key().decode()

from arguslm.settings import *  # noqa: E402, F403 - after the environment is set

if not _postgres:
    # A file, as in production: threads that share a database in memory meet locks that do not wait.
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(DATA_DIR, "tests.sqlite3")}  # noqa: F405
