"""Environment variables: an empty one counts as not set, a wrong one stops the start."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def address_of(host: str, port: int) -> str:
    """What to open in a browser; an IPv6 address stands in brackets there."""
    bare = host.strip("[]")
    return f"http://[{bare}]:{port}" if ":" in bare else f"http://{bare}:{port}"


class Environment(environ.Env):  # type: ignore[misc]
    def get_value(
        self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False
    ) -> Any:
        """Not the library's own: that one takes `$word`, a fair password, for a variable's name."""
        text = self.ENVIRON.get(var, "")
        return READERS[cast](var, text) if text.strip() else default

    def choice(self, var: str, default: str, choices: Collection[str]) -> str:
        text: str = self.str(var, default)
        for choice in choices:
            if choice.lower() == text.strip().lower():
                return choice
        raise ImproperlyConfigured(f"{var} is {text!r}: set one of {', '.join(choices)}.")

    def directory(self, var: str, default: Path) -> Path:
        """One that exists, made for its owner alone, and that this process may write to."""
        found = Path(self.str(var, str(default))).expanduser().absolute()
        try:
            found.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise ImproperlyConfigured(f"{var}: {found} cannot be made: {exc.strerror}.") from exc
        if not os.access(found, os.W_OK | os.X_OK):
            raise ImproperlyConfigured(f"{var}: this user may not write to {found}.")
        return found

    def port(self, var: str, default: int) -> int:
        found: int = self.int(var, default)
        if not 0 <= found <= 65_535:
            raise ImproperlyConfigured(f"{var} is {found}: a port is between 0 and 65535.")
        return found

    def database(self, url: str) -> dict[str, Any]:
        # The library would print an address that it does not know, with its password.
        if url.partition("://")[0] not in ("postgres", "postgresql", "sqlite"):
            raise ImproperlyConfigured(
                "DATABASE_URL must look like postgres://user:password@host:5432/name."
            )
        found: dict[str, Any] = self.db_url_config(url)
        return found

    def mail(self, url: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.email_url_config(url)
        except ImproperlyConfigured as exc:
            sentence = "EMAIL_URL must look like smtp+tls://user:password@host:587."
            raise ImproperlyConfigured(sentence) from exc
        return found


def _text(var: str, text: str) -> str:
    return text


def _flag(var: str, text: str) -> bool:
    try:
        return FLAGS[text.strip().lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{var} is {text!r}: write true or false.") from None


def _whole(var: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{var} is {text!r}: write a whole number.") from None


def _names(var: str, text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


READERS: dict[type, Callable[[str, str], Any]] = {
    str: _text,
    bool: _flag,
    int: _whole,
    list: _names,
}
