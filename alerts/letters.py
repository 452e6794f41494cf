"""A message as data: what goes out to a channel, without the channel's own form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.storms import Topic
from alerts.templates import HEADINGS, TEMPLATES, TITLE_LIMIT

LISTED = 100


@dataclass(frozen=True, slots=True)
class Letter:
    """Ready for one kind of channel. ``message_id`` is the same at each attempt."""

    message_id: str
    title: str
    body: str
    payload: Mapping[str, Any]


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


def letter(kind: str, message_id: str, payload: Mapping[str, Any]) -> Letter:
    data = payload["data"]
    names = dict.fromkeys(entry["rule_name"] for entry in data["alerts"])
    fields = {
        "topic": HEADINGS[Topic(data["topic"])],
        "text": data["text"],
        "link": data["link"],
        "names": ", ".join(names),
    }
    template = TEMPLATES[kind]
    title = " ".join(template.title.format(**fields).split())
    if len(title) > TITLE_LIMIT:
        title = title[: TITLE_LIMIT - 1].rstrip() + "…"
    return Letter(message_id, title, template.body.format(**fields), payload)
