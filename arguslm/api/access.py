"""Who may use the API: one rule for REST, WebSocket and the operator pages."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from ipaddress import ip_address

from django.conf import settings
from django.db.models import TextChoices

PREFIX = "argus_"
PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


class ApiAuth(TextChoices):
    AUTO = "auto"
    REQUIRED = "required"
    NONE = "none"


def is_loopback(host: str) -> bool:
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def is_private_setup() -> bool:
    """Only this machine can reach the server: it listens on, and answers for, loopback alone."""
    return all(is_loopback(name) for name in settings.REACHABLE_AS)


def is_open_to(peer: str | None, header_names: Collection[str]) -> bool:
    """Whether a caller without a token is let in.

    In `auto` the caller must really be on this machine: `peer` is its address, and a header that
    a proxy adds means that somebody else may stand behind it.
    """
    if settings.API_AUTH == ApiAuth.NONE:
        return True
    if settings.API_AUTH == ApiAuth.REQUIRED:
        return False
    return (
        is_private_setup()
        and peer is not None
        and is_loopback(peer)
        and not any(name in header_names for name in PROXY_HEADERS)
    )


def token_in(authorization: str) -> str | None:
    """The token of `Bearer <token>`, or the password of `Basic` when it is one of our tokens.

    The second is what clients without a header of their own make of http://any:<token>@host, on
    the WebSocket as well. Other passwords are for a proxy in front of us.
    """
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value or None
    if scheme.lower() == "basic":
        password = _decoded(value).partition(":")[2]
        return password if password.startswith(PREFIX) else None
    return None


def _decoded(value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except ValueError:
        return ""
