"""A message as data: what goes out to a channel, without the channel's own form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.templates import HEADINGS, TEMPLATES, TITLE_LIMIT
from alerts.topics import Topic

LISTED = 100


@dataclass(frozen=True, slots=True)
class Case:
    """What a message belongs to: each opening is a case that later messages speak of.

    ``opened_by``: ids of the openings it speaks of, the latest first; none when it is one itself.
    ``closes``: those of them that end with it, because none of their alerts is open any more.
    """

    opened_by: tuple[str, ...] = ()
    closes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """Ready for one kind of channel. ``message_id`` is the same at each attempt."""

    message_id: str
    topic: Topic
    title: str
    body: str
    payload: Mapping[str, Any]
    case: Case = Case()

    @property
    def key(self) -> str:
        """The id of the case."""
        return self.case.opened_by[0] if self.case.opened_by else self.message_id


def payload_of(
    topic: Topic,
    text: str,
    *,
    scope: str,
    at: datetime,
    link: str,
    error_class: str | None = None,
    entries: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The body of a webhook: type, timestamp and data, as Standard Webhooks wants it."""
    return {
        "type": f"alerts.{topic.value}",
        "timestamp": at.isoformat(),
        "data": {
            "text": text,
            "topic": topic.value,
            "scope": scope,
            "error_class": error_class,
            "link": link,
            "alerts_total": len(entries),
            "alerts": list(entries[:LISTED]),
        },
    }


def letter(
    style: str, message_id: str, payload: Mapping[str, Any], case: Case | None = None
) -> Letter:
    data = payload["data"]
    topic = Topic(data["topic"])
    names = dict.fromkeys(entry["rule_name"] for entry in data["alerts"])
    template = TEMPLATES[style]
    fields = {
        "topic": HEADINGS[topic],
        "text": data["text"],
        "link": data["link"],
        "names": ", ".join(names) or "none",
    }
    title = " ".join(template.title.format(**fields).split())
    if len(title) > TITLE_LIMIT:
        title = title[: TITLE_LIMIT - 1].rstrip() + "…"
    body = template.body.format(**fields)
    return Letter(message_id, topic, title, body, payload, case or Case())
