"""Chat and paging services through Apprise: the ones listed here and no other.

Apprise itself also knows schemes that write to local devices, run as desktop notifications or post
anywhere; its plugins are therefore imported one by one, and its registry is never asked.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from alerts.backoff import retry_after_s
from alerts.letters import Letter
from alerts.topics import Topic
from alerts.transports import paging
from alerts.transports.answers import Answer, Verdict, answer_of, trouble

if TYPE_CHECKING:
    from requests import RequestException, Response

CONNECT_S = 10.0
READ_S = 20.0
URL_LIMIT = 2048
# What a service does not take for its length is cut: half a sentence is better than none.
OURS = {"cto": CONNECT_S, "rto": READ_S, "overflow": "truncate"}
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
SEVERITIES: dict[Topic, str] = {
    Topic.DOWN: "failure",
    Topic.SLOW: "warning",
    Topic.RECOVERED: "success",
    Topic.REMINDER: "warning",
    Topic.NOTICE: "warning",
    Topic.TEST: "info",
}
# Told that it is plain text, Apprise escapes it for these as they want it; without that Telegram
# refuses a message with a "<" in it. For others it escapes more than they understand.
ESCAPED = frozenset({"slack", "tgram"})
NOTHING_TO_CLOSE = "Not sent: no incident ends with it, others of its models are still down."
# <!channel> and <@U1> of Slack, <https://…|text>, @everyone, and [text](https://…).
_MARKUP = re.compile(
    r"<(?=[!@#&a-z/])|\](?=\()|(?<![\w.])@(?=[\w*])|@(?=everyone|here|channel|all)", re.I
)


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


def style_of(url: str) -> str:
    """The template for it."""
    scheme = scheme_of(url)
    return scheme if scheme in paging.OPENERS else "apprise"


def send(config: Mapping[str, Any], letter: Letter) -> Answer:
    """Blocks; the caller bounds the time."""
    from alerts.transports.exchange import exchange

    scheme = scheme_of(config["url"])
    service = _service(config["url"])
    if service is None:
        return Answer(Verdict.UNACCEPTABLE, error="The stored URL is not valid any more.")
    sys.modules[type(service).__module__].__dict__["requests"] = exchange
    with exchange.listening() as heard:
        is_sent = _notify(scheme, service, letter)
    if is_sent is None:
        return Answer(Verdict.DELIVERED, error=NOTHING_TO_CLOSE)
    return _answer(is_sent=is_sent, last=heard[-1] if heard else None)


def _notify(scheme: str, service: Any, letter: Letter) -> bool | None:
    from apprise.common import NotifyFormat, NotifyType

    severity = NotifyType(SEVERITIES[letter.topic])
    plain = replace(letter, title=harmless(letter.title), body=harmless(letter.body))
    if scheme in paging.OPENERS:
        return paging.page(scheme, service, plain, severity)
    form = NotifyFormat.TEXT if scheme in ESCAPED else None
    is_sent: bool = service.notify(
        title=plain.title, body=plain.body, notify_type=severity, body_format=form
    )
    return is_sent


def harmless(text: str) -> str:
    """Words of a provider may neither call people nor hide where a link goes.

    An invisible space takes the meaning from what services read as a mention or as a link.
    """
    return _MARKUP.sub(lambda found: f"{found[0][0]}\u200b{found[0][1:]}", text)


def _answer(*, is_sent: bool, last: Response | RequestException | None) -> Answer:
    from requests import Response

    if last is None:
        return Answer(Verdict.AGAIN, error="The service was not asked at all.")
    if not isinstance(last, Response):
        return _trouble(last)
    code = last.status_code
    if is_sent:
        return Answer(Verdict.DELIVERED, code)
    if 200 <= code < 300:
        return Answer(Verdict.AGAIN, code, "The service answered, but did not take it.")
    return answer_of(code, retry_after_s(last.headers.get("retry-after"), datetime.now(UTC)))


def _trouble(exc: RequestException) -> Answer:
    from requests import ConnectTimeout, Timeout

    if isinstance(exc, ConnectTimeout):
        return trouble(exc, f"No connection could be made within {CONNECT_S:.0f} s.")
    if isinstance(exc, Timeout):
        return trouble(exc, "The service took too long.")
    return trouble(exc, "No connection could be made, or it broke off.")


def _service(url: str) -> Any | None:
    module, name = PLUGINS[scheme_of(url)]
    plugin = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    parsed = plugin.parse_url(url.replace("/#", "/%23"))
    if not parsed:
        return None
    try:
        made = plugin(**{**parsed, **OURS, "asset": _asset()})
    except TypeError:
        # Apprise's way to say that a token is missing or has the wrong form.
        return None
    # It would sleep for as long as a service wants; the pauses are the outbox's own.
    made.throttle = lambda *args, **kwargs: None
    return made


@lru_cache(maxsize=1)
def _asset() -> Any:
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="ArgusLM",
        app_desc="ArgusLM alerts",
        app_url="",
        # No picture from somebody else's site.
        image_url_mask="",
        image_url_logo="",
        image_path_mask="",
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        storage_mode="memory",
        allow_templates=False,
        default_service_retry=0,
    )
