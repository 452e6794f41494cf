from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from arguslm.embedded.files import create_private, private_directory


class KeyFileUnusable(ImproperlyConfigured):
    """A key file without a key: making a new one would orphan what the old one encrypted."""


@dataclass(frozen=True, slots=True)
class Keys:
    secret_key: str = field(repr=False)
    encryption_key: str = field(repr=False)


def load_or_create(data_dir: Path) -> Keys:
    """Keys of this installation, made on the first call; processes that race agree on one."""
    directory = data_dir / "keys"
    return Keys(
        secret_key=_read_or_make(directory / "secret_key", _new_secret_key),
        encryption_key=_read_or_make(directory / "encryption_key", _new_fernet_key),
    )


def _read_or_make(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        private_directory(path.parent)
        create_private(path, make() + "\n")
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as exc:
        raise KeyFileUnusable(f"{path} cannot be read: {exc}") from exc
    if not key:
        raise KeyFileUnusable(f"{path} is empty: restore it, or delete it to start anew.")
    return key


def _new_secret_key() -> str:
    return secrets.token_urlsafe(50)


def _new_fernet_key() -> str:
    # What Fernet.generate_key() does, without importing cryptography into every start.
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")
