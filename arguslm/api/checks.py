from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from arguslm.api.access import ApiAuth, is_private_setup

REDIS_SCHEMES = ("redis://", "rediss://")


@register()
def api_auth_is_safe(**kwargs: Any) -> list[CheckMessage]:
    if settings.API_AUTH not in ApiAuth.values:
        hint = f"Set API_AUTH to one of: {', '.join(ApiAuth.values)}."
        return [Error(f"API_AUTH is {settings.API_AUTH!r}.", hint=hint, id="arguslm.E001")]
    if settings.DEBUG and not is_private_setup():
        hint = "Unset DEBUG: its error pages show the configuration."
        return [Error("DEBUG is on while others can reach us.", hint=hint, id="arguslm.E002")]
    return []


@register()
def open_api_is_meant(**kwargs: Any) -> list[CheckMessage]:
    """`auto` never opens the API to others: only a written `none` does, and that is said aloud."""
    if settings.API_AUTH == ApiAuth.NONE and not is_private_setup():
        hint = "Set API_AUTH=required unless something in front of ArgusLM asks for a password."
        return [
            Warning(
                "Anybody who reaches this server may use its API.", hint=hint, id="arguslm.W001"
            )
        ]
    return []


@register()
def addresses_are_usable(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for host in settings.ALLOWED_HOSTS:
        if "/" in host or _port_in(host):
            hint = "Write host names alone, without scheme and port: argus.example.org."
            found.append(Error(f"ALLOWED_HOSTS holds {host!r}.", hint=hint, id="arguslm.E003"))
    if not settings.PUBLIC_URL.startswith(("http://", "https://")):
        hint = "Write it with its scheme: https://argus.example.org."
        found.append(Error("PUBLIC_URL is no address of pages.", hint=hint, id="arguslm.E006"))
    if settings.EXTERNAL_REDIS_URL and not settings.EXTERNAL_REDIS_URL.startswith(REDIS_SCHEMES):
        hint = "It must look like redis://:password@host:6379/0."
        found.append(Error("REDIS_URL is no address of a Redis.", hint=hint, id="arguslm.E007"))
    return found


def _port_in(host: str) -> bool:
    return ":" in host and not host.endswith("]")


@register()
def keys_are_usable(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.SECRET_KEY:
        hint = "Give every process the same random SECRET_KEY (50 characters or more)."
        found.append(Error("SECRET_KEY is not set.", hint=hint, id="arguslm.E004"))
    if not settings.ENCRYPTION_KEYS or not all(map(_is_fernet_key, settings.ENCRYPTION_KEYS)):
        hint = "docs/configuration.md has the line that makes one."
        found.append(Error("ENCRYPTION_KEY is no Fernet key.", hint=hint, id="arguslm.E005"))
    return found


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key.encode())
    except ValueError:
        return False
    return True
