"""Base URLs as people type them: what is wrong with one, and its parts when nothing is."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

URL_LIMIT = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}
# Shown with an account although they stand in the query; everything else there may be a key.
PUBLIC_PARAMETERS = frozenset({"api-version"})

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL taken apart; ``path`` has no trailing slash and is empty for a bare host."""

    scheme: str
    netloc: str
    path: str
    query: dict[str, str]

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def public(self) -> str:
        shown = [f"{k}={v}" for k, v in self.query.items() if k.lower() in PUBLIC_PARAMETERS]
        return self.origin + self.path + ("?" + "&".join(shown) if shown else "")


def address_fault(text: str) -> str | None:
    """What keeps ``text`` from being a base URL, as a sentence; None when nothing does."""
    if len(text) > URL_LIMIT:
        return f"A URL may have at most {URL_LIMIT:,} characters."
    if not _VISIBLE.fullmatch(text):
        return "A URL may hold neither spaces nor control characters nor letters outside ASCII."
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "This is not a valid URL; check the host and the port."
    if parts.scheme not in DEFAULT_PORTS:
        return "A URL must begin with http:// or https://."
    if port == 0:
        return "Port 0 cannot be connected to."
    return _host_fault(parts) or _rest_fault(parts)


def _host_fault(parts: SplitResult) -> str | None:
    if "@" in parts.netloc:
        return (
            "A URL with a login in it would be shown to everybody; "
            "put the key into api_key or an Authorization header into headers."
        )
    if not parts.hostname:
        return "The URL names no host."
    if not _is_host(parts.hostname, bracketed="[" in parts.netloc):
        return "The host in the URL is not a valid name or address."
    return None


def _rest_fault(parts: SplitResult) -> str | None:
    if parts.fragment or "\\" in parts.path:
        return "A base URL may have neither a fragment (#) nor a backslash."
    return None


def _is_host(host: str, *, bracketed: bool) -> bool:
    if bracketed or re.fullmatch(r"[0-9.]+", host):
        return _is_ip(host)
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and all(_is_label(label) for label in labels)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    if not label.lower().startswith("xn--"):
        return True
    try:
        label.encode("ascii").decode("idna")
    except UnicodeError:
        return False
    return True


def parse_address(text: str) -> Address:
    """Takes apart what ``address_fault`` finds nothing wrong with."""
    parts = urlsplit(text)
    host = parts.hostname or ""
    netloc = f"[{host}]" if ":" in host else host
    if parts.port and parts.port != DEFAULT_PORTS[parts.scheme]:
        netloc += f":{parts.port}"
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Address(parts.scheme, netloc, parts.path.rstrip("/"), query)
