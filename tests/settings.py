"""The real settings on a data directory of their own: tests never touch an installation."""

from __future__ import annotations

import os
import shutil
import tempfile
from atexit import register

_HERE = ("ARGUSLM_", "DATABASE_URL", "REDIS_URL", "API_AUTH", "ALLOWED_HOSTS", "SECRET_KEY")
for _name in [name for name in os.environ if name.startswith((*_HERE, "ENCRYPTION_KEY", "DEBUG"))]:
    del os.environ[_name]
os.environ["ARGUSLM_DATA_DIR"] = tempfile.mkdtemp(prefix="arguslm-tests-")
register(shutil.rmtree, os.environ["ARGUSLM_DATA_DIR"], ignore_errors=True)

from arguslm.settings import *  # noqa: E402, F403 - after the environment is set

# A file, as in production: threads that share a database in memory meet locks that do not wait.
DATABASES["default"]["TEST"] = {"NAME": os.path.join(DATA_DIR, "tests.sqlite3")}  # noqa: F405
