"""What a start does to the database and the static files before the first child runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core import checks
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from arguslm.embedded.errors import StartRefused


def check_settings() -> list[str]:
    """Warnings that the operator should read; raises StartRefused for what is wrong."""
    found = checks.run_checks()
    serious = [_sentence(message) for message in found if message.is_serious()]
    if serious:
        raise StartRefused("\n".join(serious))
    return [_sentence(message) for message in found if message.level >= checks.WARNING]


def migrate() -> int:
    """Number of migrations applied; 0 costs one query, not a whole `migrate`."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        call_command("migrate", interactive=False, verbosity=0)
    return len(pending)


def collect_static() -> bool:
    """True when files were collected; nothing happens while the sources are as they were."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    sources = _static_sources()
    if stamp.exists() and stamp.read_text(encoding="ascii") == sources:
        return False
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(sources, encoding="ascii")
    return True


def create_admin(username: str, password: str) -> bool:
    """Makes the first account of an unattended set-up; an existing account stays as it is."""
    if not password or User.objects.filter(username=username).exists():
        return False
    User.objects.create_superuser(username=username, password=password)
    return True


def has_admin() -> bool:
    return User.objects.filter(is_superuser=True, is_active=True).exists()


def _sentence(message: checks.CheckMessage) -> str:
    return f"{message.msg} {message.hint or ''}".strip()


def _static_sources() -> str:
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list(ignore_patterns=None):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
