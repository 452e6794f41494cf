"""Addresses of webhooks: what is wrong with one, and what of it may be shown."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from providers.addresses import address_fault

MASK = "***"
# Where the path is the password: nothing of it is shown.
CHAT_HOSTS = (
    "hooks.slack.com",
    "discord.com",
    "discordapp.com",
    "chat.googleapis.com",
    "api.telegram.org",
    "webhook.office.com",
    "logic.azure.com",
    "powerplatform.com",
)
# A word that a person would choose; anything else may be a token.
_PLAIN = re.compile(r"[a-z]{1,16}([-_][a-z]{1,16}){0,2}|v\d{1,2}")


def webhook_fault(text: str) -> str | None:
    """What keeps ``text`` from being a webhook's address, as a sentence."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "This is not a valid URL; check the host and the port."
    if parts.fragment:
        return "An address to post to has no fragment (#)."
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return address_fault(urlunsplit(bare))


def masked(url: str) -> str:
    """Scheme, host, port and plain words of the path; the rest may be a secret."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    query = "&".join(f"{pair.partition('=')[0]}={MASK}" for pair in parts.query.split("&") if pair)
    netloc = f"{MASK}@{host}" if at and login else host
    return urlunsplit((parts.scheme, netloc, _masked_path(parts), query, ""))


def _masked_path(parts: SplitResult) -> str:
    if _is_chat(parts.hostname or ""):
        return f"/{MASK}"
    steps = parts.path.split("/")
    return "/".join(step if not step or _PLAIN.fullmatch(step) else MASK for step in steps)


def _is_chat(host: str) -> bool:
    return any(host == known or host.endswith("." + known) for known in CHAT_HOSTS)
