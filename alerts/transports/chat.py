"""Chat and paging services through Apprise: the ones listed here and no other.

Apprise itself also knows schemes that write to local devices, run as desktop notifications or post
anywhere; its plugins are therefore imported one by one, and its registry is never asked.
"""

from __future__ import annotations

import importlib
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from alerts.letters import Letter
from alerts.transports.answers import Answer, Verdict, answer_of

CONNECT_S = 10.0
READ_S = 20.0
URL_LIMIT = 2048
PLUGINS: dict[str, tuple[str, str]] = {
    "slack": ("slack", "NotifySlack"),
    "discord": ("discord", "NotifyDiscord"),
    "workflow": ("workflows", "NotifyWorkflows"),
    "workflows": ("workflows", "NotifyWorkflows"),
    "tgram": ("telegram", "NotifyTelegram"),
    "ntfy": ("ntfy", "NotifyNtfy"),
    "ntfys": ("ntfy", "NotifyNtfy"),
    "pagerduty": ("pagerduty", "NotifyPagerDuty"),
    "opsgenie": ("opsgenie", "NotifyOpsgenie"),
    "matrix": ("matrix", "NotifyMatrix"),
    "matrixs": ("matrix", "NotifyMatrix"),
    "gchat": ("google_chat", "NotifyGoogleChat"),
    "mmost": ("mattermost", "NotifyMattermost"),
    "mmosts": ("mattermost", "NotifyMattermost"),
    "rocket": ("rocketchat", "NotifyRocketChat"),
    "rockets": ("rocketchat", "NotifyRocketChat"),
    "pover": ("pushover", "NotifyPushover"),
    "signal": ("signal_api", "NotifySignalAPI"),
    "signals": ("signal_api", "NotifySignalAPI"),
    "gotify": ("gotify", "NotifyGotify"),
    "gotifys": ("gotify", "NotifyGotify"),
    "webex": ("webexteams", "NotifyWebexTeams"),
    "zulip": ("zulip", "NotifyZulip"),
}
# What a URL may set. Not among them: parameters that read local files (template, attach), that
# loosen TLS or follow redirects, and the time limits, which are ours.
PARAMETERS: frozenset[str] = frozenset()
for _names in (
    ("to", "from", "name", "channel", "topic", "thread", "tag", "tags", "alias", "id", "by"),
    ("priority", "region", "mode", "type", "device", "sound", "ttl", "format", "status", "ver"),
    ("token", "apikey", "source", "component", "group", "class", "action", "entity", "fields"),
    ("silent", "preview", "mdv", "text", "blocks", "timestamp", "wb", "batch"),
    ("click", "icon", "avatar", "footer", "image"),
):
    PARAMETERS |= frozenset(_names)
_STATUS = re.compile(r"error=(\d{3})\b")
_LOGGER = logging.getLogger("apprise")


def config_errors(config: Mapping[str, Any]) -> dict[str, str]:
    url = config.get("url")
    if not isinstance(url, str) or not 0 < len(url) <= URL_LIMIT or not url.isprintable():
        return {"url": f"An Apprise URL of at most {URL_LIMIT:,} characters."}
    scheme = scheme_of(url)
    if scheme not in PLUGINS:
        return {"url": f"Its scheme must be one of: {', '.join(PLUGINS)}."}
    try:
        unknown = [k for k, _ in parse_qsl(urlsplit(url).query) if k.lower() not in PARAMETERS]
    except ValueError:
        return {"url": "This is not a valid URL."}
    if unknown:
        return {"url": f"The parameter {unknown[0][:40]} may not be used here."}
    return {} if _service(url) is not None else {"url": f"This is not a valid {scheme} URL."}


def public_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Every part of such a URL may be a token: only the service is shown."""
    return {"url": f"{scheme_of(config['url'])}://***"}


def scheme_of(url: str) -> str:
    return url.partition("://")[0].lower()


def send(config: Mapping[str, Any], letter: Letter) -> Answer:
    """Blocks; the caller bounds the time. Apprise tells no Retry-After."""
    service = _service(config["url"])
    if service is None:
        return Answer(Verdict.UNACCEPTABLE, error="The stored URL is not valid any more.")
    with _overheard() as said:
        is_sent = service.notify(title=letter.title, body=letter.body)
    if is_sent:
        return Answer(Verdict.DELIVERED)
    codes = [int(code) for line in said for code in _STATUS.findall(line)]
    if codes and not 200 <= codes[-1] < 300:
        return answer_of(codes[-1])
    return Answer(Verdict.AGAIN, error="The service could not be reached or did not take it.")


def _service(url: str) -> Any | None:
    module, name = PLUGINS[scheme_of(url)]
    plugin = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    parsed = plugin.parse_url(url.replace("/#", "/%23"))
    if not parsed:
        return None
    try:
        made = plugin(**{**parsed, "asset": _asset(), "cto": CONNECT_S, "rto": READ_S})
    except TypeError:
        # Apprise's way to say that a token is missing or has the wrong form.
        return None
    return made


@lru_cache(maxsize=1)
def _asset() -> Any:
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="ArgusLM",
        app_desc="ArgusLM alerts",
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        storage_mode="memory",
        allow_templates=False,
        default_service_retry=0,
    )


class _Ear(logging.Handler):
    """Collects what this thread's call logs: the only place where Apprise names a status."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said = said
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._said.append(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    said: list[str] = []
    ear = _Ear(said)
    _LOGGER.addHandler(ear)
    try:
        yield said
    finally:
        _LOGGER.removeHandler(ear)
