"""What can go wrong in an exchange, and how to say it without giving a secret away."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

MESSAGE_LIMIT = 500


class ErrorClass(StrEnum):
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_TTFT = "timeout_ttft"
    TIMEOUT_TOTAL = "timeout_total"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    NO_ANSWER = "no_answer"
    CONTENT_FILTER = "content_filter"
    ASSERTION = "assertion"


class Fault(StrEnum):
    PROVIDER = "provider"
    ACCOUNT = "account"
    CONFIGURATION = "configuration"


FAULT: dict[ErrorClass, Fault] = {
    **dict.fromkeys(ErrorClass, Fault.PROVIDER),
    ErrorClass.RATE_LIMITED: Fault.ACCOUNT,
    ErrorClass.QUOTA: Fault.ACCOUNT,
    ErrorClass.AUTH: Fault.ACCOUNT,
    ErrorClass.NOT_FOUND: Fault.CONFIGURATION,
    ErrorClass.BAD_REQUEST: Fault.CONFIGURATION,
    ErrorClass.NO_ANSWER: Fault.CONFIGURATION,
}

# A second attempt within the same round may find these gone.
PASSING: frozenset[ErrorClass] = frozenset(
    {
        ErrorClass.DNS,
        ErrorClass.CONNECT,
        ErrorClass.TLS,
        ErrorClass.TIMEOUT_CONNECT,
        ErrorClass.TIMEOUT_TTFT,
        ErrorClass.TIMEOUT_TOTAL,
        ErrorClass.SERVER_ERROR,
        ErrorClass.OVERLOADED,
        ErrorClass.EMPTY,
        ErrorClass.TRUNCATED,
        ErrorClass.MALFORMED,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an exchange gave no usable answer; ``message`` is already sanitised."""

    error_class: ErrorClass
    message: str
    status_code: int | None = None
    retry_after_s: float | None = None

    @property
    def fault(self) -> Fault:
        return FAULT[self.error_class]

    @property
    def is_passing(self) -> bool:
        return self.error_class in PASSING


class ExchangeFailed(Exception):
    """A question that is not a measured exchange (a model list, say) got no usable answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


HIDDEN = "[hidden]"
_URL_LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@'\"<>]*@")
_SECRET_PARAMETER = re.compile(
    r"(?i)\b((?:[\w-]*(?:api[_-]?key|token|secret|password|signature|credential)|key|sig|auth)"
    r"(?:\"|')?\s*[=:]\s*(?:\"|')?)((?:bearer\s+)?[^\s&\"',;}<>\])]{6,})"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=*-]{6,}")
_KNOWN_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|pplx|r8|nvapi|fw|csk|AIza|AKIA|ASIA|ABSK|ya29)[-_A-Za-z0-9*.…]{8,}"
)
# A provider that masks what it echoes keeps the ends: "sk-ab***yz", "sk-a...9f2c".
_MASKED = re.compile(r"[A-Za-z0-9_-]{2,}(?:\*{2,}|\.{3,}|…+|•{2,}|[xX]{4,})[A-Za-z0-9_-]{0,12}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def sanitise(text: str, secrets: Iterable[str] = (), limit: int = MESSAGE_LIMIT) -> str:
    """Untrusted provider text as one bounded line without keys, logins or control characters."""
    known = [secret for secret in secrets if secret]
    line = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text[: limit * 20]))
    line = _without_secrets(line, known)
    line = _URL_LOGIN.sub(rf"\1{HIDDEN}@", line)
    line = _BEARER.sub(rf"\1 {HIDDEN}", line)
    line = _SECRET_PARAMETER.sub(rf"\1{HIDDEN}", line)
    line = _KNOWN_KEY.sub(HIDDEN, line)
    return _bounded(" ".join(line.split()), limit)


def conceal(text: str, secrets: Iterable[str]) -> str:
    """``text`` as it is, but for the secrets in it."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _without_secrets(line: str, secrets: list[str]) -> str:
    line = conceal(line, secrets)
    line = _MASKED.sub(lambda found: _hide_masked(found.group(), secrets), line)
    for secret in secrets:
        line = _without_long_part(line, secret)
    return line


def _hide_masked(echo: str, secrets: list[str]) -> str:
    head = re.match(r"[A-Za-z0-9_-]*", echo)
    start = head.group() if head else ""
    return HIDDEN if any(secret.startswith(start) for secret in secrets) else echo


def _without_long_part(line: str, secret: str, part: int = 12) -> str:
    """Removes every run of ``part`` or more characters that the line shares with the secret."""
    if len(secret) <= part:
        return line
    windows = {secret[i : i + part] for i in range(len(secret) - part + 1)}
    marked = [i for i in range(len(line) - part + 1) if line[i : i + part] in windows]
    for start, end in reversed(_runs(marked, part)):
        line = line[:start] + HIDDEN + line[end:]
    return line


def _runs(starts: list[int], width: int) -> list[tuple[int, int]]:
    if not starts:
        return []
    cuts = [after for before, after in pairwise(starts) if after > before + width]
    heads = [starts[0], *cuts]
    tails = [max(s for s in starts if s < cut) for cut in cuts] + [starts[-1]]
    return [(head, tail + width) for head, tail in zip(heads, tails, strict=True)]


def _bounded(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
