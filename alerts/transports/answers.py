from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum

# The receiver is gone or does not want us: trying again is of no use.
PERMANENT = frozenset({401, 404, 410})
# It has understood us and will not take this very message, however often it comes.
UNACCEPTABLE = frozenset({400, 413, 415, 422})

REASONS: dict[int, str] = {
    401: "it does not accept our credentials",
    403: "it does not let us in",
    404: "nothing is at this address",
    410: "the address is gone for good",
    429: "it asks us to slow down",
}


class Verdict(StrEnum):
    DELIVERED = "delivered"
    AGAIN = "again"
    UNACCEPTABLE = "unacceptable"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Answer:
    """``error`` is our own sentence: what a receiver says is neither stored nor shown."""

    verdict: Verdict
    status_code: int | None = None
    error: str = ""
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        return self.verdict is Verdict.DELIVERED


def answer_of(status_code: int, retry_after_s: float | None = None) -> Answer:
    if 200 <= status_code < 300:
        return Answer(Verdict.DELIVERED, status_code)
    if 300 <= status_code < 400:
        sentence = f"The receiver answered {status_code}: redirects are not followed."
        return Answer(Verdict.AGAIN, status_code, sentence)
    verdict = Verdict.AGAIN
    if status_code in PERMANENT:
        verdict = Verdict.PERMANENT
    elif status_code in UNACCEPTABLE:
        verdict = Verdict.UNACCEPTABLE
    reason = REASONS.get(status_code)
    sentence = f"The receiver answered {status_code}" + (f": {reason}." if reason else ".")
    return Answer(verdict, status_code, sentence, retry_after_s)


def trouble(exc: BaseException, otherwise: str) -> Answer:
    """Why there was no answer, as far as whoever set the channel up can mend it."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Answer(Verdict.AGAIN, error="The certificate of the receiver is not trusted.")
        if isinstance(cause, socket.gaierror):
            return Answer(Verdict.AGAIN, error="The host name of the receiver is not known.")
        cause = cause.__cause__ or cause.__context__
    return Answer(Verdict.AGAIN, error=otherwise)
