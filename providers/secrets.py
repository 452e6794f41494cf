"""Encryption at rest. `ENCRYPTION_KEY` may hold several Fernet keys: the first one encrypts, all
decrypt, so that keys can be rotated without a gap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Undecryptable(Exception):
    """The stored text was encrypted with a key that is not in `ENCRYPTION_KEY`."""


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key.encode()) for key in keys])


def encrypt(clear: Mapping[str, Any]) -> str:
    return _box(tuple(settings.ENCRYPTION_KEYS)).encrypt(json.dumps(dict(clear)).encode()).decode()


def decrypt(sealed: str) -> dict[str, Any]:
    try:
        clear: dict[str, Any] = json.loads(
            _box(tuple(settings.ENCRYPTION_KEYS)).decrypt(sealed.encode())
        )
    except InvalidToken as exc:
        raise Undecryptable(
            "The stored credentials cannot be read: ENCRYPTION_KEY is not the one that sealed them."
        ) from exc
    return clear


def rotate(sealed: str) -> str:
    """The same content under the first key."""
    return _box(tuple(settings.ENCRYPTION_KEYS)).rotate(sealed.encode()).decode()
