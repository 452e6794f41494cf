"""Services that keep an incident: each opening is one, and its end closes it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from alerts.letters import Letter
from alerts.topics import Topic

SOURCE = "ArgusLM"


def page(scheme: str, plugin: Any, letter: Letter, severity: Any) -> bool | None:
    """Whether the service took it; None when nothing has to be said there."""
    if letter.topic is Topic.RECOVERED:
        closed = [CLOSERS[scheme](plugin, letter, key) for key in letter.case.closes]
        return all(closed) if closed else None
    OPENERS[scheme](plugin, letter)
    taken: bool = plugin.notify(title=letter.title, body=letter.body, notify_type=severity)
    return taken


def _open_pagerduty(plugin: Any, letter: Letter) -> None:
    plugin.action, plugin.dedup = "trigger", letter.key
    plugin.click = plugin.click or letter.payload["data"]["link"]
    _sign(plugin, "source", "component")


def _close_pagerduty(plugin: Any, letter: Letter, key: str) -> bool:
    plugin.action, plugin.dedup = "resolve", key
    taken: bool = plugin.notify(body=letter.body)
    return taken


def _open_opsgenie(plugin: Any, letter: Letter) -> None:
    plugin.action, plugin.alias = "new", letter.key


def _close_opsgenie(plugin: Any, letter: Letter, key: str) -> bool:
    """Apprise would close by the ids of its own earlier requests, which it forgets."""
    from apprise.plugins.opsgenie import OPSGENIE_API_LOOKUP

    from alerts.transports.exchange import exchange

    url = f"{OPSGENIE_API_LOOKUP[plugin.region_name]}/{quote(key)}/close"
    said = {"source": SOURCE, "note": letter.body}
    taken, _ = plugin._fetch(exchange.post, url, said, {"identifierType": "alias"})
    return bool(taken)


def _sign(plugin: Any, *names: str) -> None:
    """Our name where the address gives none."""
    for name in names:
        if getattr(plugin, name) == plugin.template_tokens[name]["default"]:
            setattr(plugin, name, SOURCE)


OPENERS = {"pagerduty": _open_pagerduty, "opsgenie": _open_opsgenie}
CLOSERS = {"pagerduty": _close_pagerduty, "opsgenie": _close_opsgenie}
