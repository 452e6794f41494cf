"""Signatures of webhooks by https://www.standardwebhooks.com (version 1.0.0, symmetric)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Raises ValueError when `secret` is not whsec_ and base64."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as exc:
        raise ValueError("A signing secret is whsec_ followed by base64.") from exc


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(secrets: Sequence[str], message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """One signature for each secret, so that either is good while they change."""
    timestamp = int(now.timestamp())
    found = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        signed = [signature(secret, message_id, timestamp, body) for secret in secrets]
        found["webhook-signature"] = " ".join(signed)
    return found
