"""What is wrong with one value of an account's credentials, as a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from providers.adapters.signing_google import ServiceAccount
from providers.addresses import address_fault
from providers.catalog import CredentialField, FieldKind

TEXT_LIMIT = 10_000
HEADER_LIMIT = 32
TIMEOUT_LIMIT_S = 3600
# The transport and the SDKs write these themselves; a second value would break the request.
FIXED_HEADERS = frozenset(
    {
        *("host", "connection", "content-length", "content-type", "transfer-encoding", "te"),
        *("trailer", "upgrade", "keep-alive", "expect", "accept", "accept-encoding"),
    }
)
_ASCII_LINE = re.compile(r"[\x20-\x7e]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PATH_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]{0,127})?")


def field_fault(field: CredentialField, value: object) -> str | None:
    if field.kind == "headers":
        return _headers_fault(value)
    if field.kind == "seconds":
        return _seconds_fault(value)
    if not isinstance(value, str):
        return "This must be text."
    if len(value) > TEXT_LIMIT:
        return f"This may have at most {TEXT_LIMIT:,} characters."
    return TEXT_FAULTS[field.kind](value.strip(" "))


def _line_fault(text: str) -> str | None:
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text):
        return "This holds a line break or another control character; paste it without."
    if not _ASCII_LINE.fullmatch(text):
        return "This holds characters outside ASCII, which no HTTP header can carry."
    return None


def _secret_fault(text: str) -> str | None:
    if re.match(r"(?i)bearer\s", text):
        return 'Give the key alone, without the word "Bearer".'
    return _line_fault(text)


def host_label_fault(text: str) -> str | None:
    if not _HOST_LABEL.fullmatch(text):
        return "This may hold letters, digits and inner hyphens only, at most 63 of them."
    return None


def _path_part_fault(text: str) -> str | None:
    if not _PATH_PART.fullmatch(text) or ".." in text:
        return "This may hold letters, digits and the characters _ . : - only, at most 128."
    return None


def _key_file_fault(text: str) -> str | None:
    try:
        ServiceAccount.of(text)
    except ValueError as exc:
        return str(exc)
    return None


TEXT_FAULTS: dict[FieldKind, Callable[[str], str | None]] = {
    "secret": _secret_fault,
    "text": _line_fault,
    "url": address_fault,
    "host_label": host_label_fault,
    "path_part": _path_part_fault,
    "key_file": _key_file_fault,
}


def _seconds_fault(value: object) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value <= TIMEOUT_LIMIT_S:  # type: ignore[operator]
        return None
    return f"This must be a number of seconds above 0 and at most {TIMEOUT_LIMIT_S:,}."


def _headers_fault(value: object) -> str | None:
    if not isinstance(value, Mapping) or len(value) > HEADER_LIMIT:
        return f"Headers must be an object of at most {HEADER_LIMIT} names and texts."
    for name, text in value.items():
        fault = _header_fault(name, text)
        if fault:
            return fault
    return None


def _header_fault(name: object, text: object) -> str | None:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        return "A header name may hold letters, digits and hyphens only."
    if name.lower() in FIXED_HEADERS:
        return f"The header {name} is set by the server itself and cannot be given."
    if not isinstance(text, str) or len(text) > TEXT_LIMIT:
        return f"The header {name} must be text of at most {TEXT_LIMIT:,} characters."
    if _line_fault(text):
        return f"The header {name} holds characters that no HTTP header can carry."
    return None
