"""One plain sentence each: what, since when, how bad."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from providers.errors import ErrorClass

CAUSE_LIMIT = 300
NAMES_LISTED = 10

CAUSES: dict[ErrorClass, str] = {
    ErrorClass.DNS: "its host name could not be resolved",
    ErrorClass.CONNECT: "the connection failed",
    ErrorClass.TLS: "no secure connection could be made",
    ErrorClass.TIMEOUT_CONNECT: "the connection took too long",
    ErrorClass.TIMEOUT_TTFT: "the first token took too long",
    ErrorClass.TIMEOUT_TOTAL: "the answer took too long",
    ErrorClass.SERVER_ERROR: "the provider reported an error of its own",
    ErrorClass.OVERLOADED: "the provider is overloaded",
    ErrorClass.RATE_LIMITED: "the account is being rate limited",
    ErrorClass.QUOTA: "the account's quota or credit is used up",
    ErrorClass.AUTH: "the provider refused the API key",
    ErrorClass.NOT_FOUND: "the provider does not know this model",
    ErrorClass.BAD_REQUEST: "the provider rejected the request",
    ErrorClass.EMPTY: "the answer was empty",
    ErrorClass.TRUNCATED: "the answer broke off",
    ErrorClass.MALFORMED: "the answer could not be read",
    ErrorClass.NO_ANSWER: "the token limit was reached before an answer",
    ErrorClass.CONTENT_FILTER: "a harmless prompt was refused",
    ErrorClass.ASSERTION: "the answer was wrong",
}


def when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def duration(span: timedelta) -> str:
    """The two largest units that matter: 45 s, 12 min, 3 h 5 min, 2 d 4 h."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


def cause(error_class: ErrorClass | None, error: str | None = None) -> str:
    """The check's own (sanitised) sentence, or what its class means; without the full stop."""
    text = " ".join((error or "").split())
    if not text:
        return CAUSES[error_class] if error_class else "no cause is known"
    text = text if len(text) <= CAUSE_LIMIT else text[: CAUSE_LIMIT - 1].rstrip() + "…"
    return text.removesuffix(".")


def down(label: str, since: datetime, why: str) -> str:
    return f"{label} is down since {when(since)}: {why}."


def down_everywhere(name: str, since: datetime, providers: Sequence[str], why: str) -> str:
    return (
        f"{name} is unavailable everywhere since {when(since)}: "
        f"down at {listed(providers)}; last cause: {why}."
    )


def slow(label: str, since: datetime, figures: str) -> str:
    return f"{label} is slow since {when(since)}: {figures}."


def regressed(label: str, schedule: str, figures: str) -> str:
    return f"{label} got slower in the benchmark {schedule}: {figures}."


def offline(since: datetime, unreached: int, providers: int) -> str:
    return (
        f"The monitor itself seems to have no network since {when(since)}: "
        f"{unreached} of {providers} providers could not be reached, none of them is judged."
    )


def recovered(what: str, after: timedelta) -> str:
    return f"{what}, after {duration(after)}."


def relapsed(opening: str, times: int, first: datetime) -> str:
    return f"{opening} Relapse {times} since {when(first)}."


def flapping(label: str, times: int, first: datetime, quiet: timedelta) -> str:
    return (
        f"{label} is flapping: {times} relapses since {when(first)}; "
        f"no more messages until it is stable for {duration(quiet)}."
    )


def stable(sentence: str) -> str:
    return f"Stable again. {sentence}"


def closed(opening: str, reason: str) -> str:
    return f"Closed ({reason}): {opening}"


def together(
    who: str, what: str, since: datetime | None, why: str | None, names: Sequence[str]
) -> str:
    return f"{who}: {digest(what, since, why, names)}"


def digest(what: str, since: datetime | None, why: str | None, names: Sequence[str]) -> str:
    start = f" since {when(since)}" if since else ""
    reason = f" ({why})" if why else ""
    return f"{what}{start}{reason}: {listed(names)}."


def listed(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    distinct = list(dict.fromkeys(names))
    shown, hidden = distinct[:NAMES_LISTED], len(distinct) - NAMES_LISTED
    return ", ".join(shown) + (f" and {hidden} more" if hidden > 0 else "")


def reminder(opening: str, after: timedelta) -> str:
    return f"Still open after {duration(after)}: {opening}"
