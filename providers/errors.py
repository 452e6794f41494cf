"""What can go wrong in an exchange, and how to say it without giving a secret away."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from providers.echoes import HIDDEN, conceal_parts

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


_URL_LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@'\"<>]*@")
_SECRET_PARAMETER = re.compile(
    r"(?i)\b((?:[\w-]*(?:api[_-]?key|token|secret|password|signature|credential)|key|sig|auth)"
    r"(?:\"|')?\s*[=:]\s*(?:\"|')?)((?:bearer\s+)?[^\s&\"',;}<>\])]{6,})"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=*-]{6,}")
_KNOWN_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|pplx|r8|nvapi|fw|csk|AIza|AKIA|ASIA|ABSK|ya29)[-_A-Za-z0-9*.…]{8,}"
    r"|\beyJ[-_A-Za-z0-9]{8,}(?:\.[-_A-Za-z0-9]+)+"  # access tokens that were bought
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def sanitise(text: str, secrets: Iterable[str] = (), limit: int = MESSAGE_LIMIT) -> str:
    """Untrusted provider text as one bounded line without keys, logins or control characters."""
    line = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text[: limit * 8]))
    line = conceal_parts(line, [secret for secret in secrets if secret])
    line = _URL_LOGIN.sub(rf"\1{HIDDEN}@", line)
    line = _BEARER.sub(rf"\1 {HIDDEN}", line)
    line = _SECRET_PARAMETER.sub(rf"\1{HIDDEN}", line)
    line = _KNOWN_KEY.sub(HIDDEN, line)
    return _bounded(" ".join(line.split()), limit)


def _bounded(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
