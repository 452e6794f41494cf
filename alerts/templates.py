"""The words of a message for each kind of channel, or its service, as data.

Fields: ``text`` (the sentence), ``topic`` (its heading), ``link`` (the page), ``names`` (rules).
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.topics import Topic


@dataclass(frozen=True, slots=True)
class Template:
    title: str
    body: str


HEADINGS: dict[Topic, str] = {
    Topic.DOWN: "Down",
    Topic.SLOW: "Slow",
    Topic.RECOVERED: "Recovered",
    Topic.REMINDER: "Still open",
    Topic.NOTICE: "Notice",
    Topic.TEST: "Test",
}

TEMPLATES: dict[str, Template] = {
    "webhook": Template(title="{topic}", body="{text}"),
    "email": Template(
        title="[ArgusLM] {topic}: {text}",
        body="{text}\n\nRule: {names}\nAlerts: {link}\n",
    ),
    "apprise": Template(title="ArgusLM: {topic}", body="{text}\n{link}"),
    # One line is the name of the incident.
    "pagerduty": Template(title="", body="{text}"),
    "opsgenie": Template(title="{text}", body="{text}\n{link}"),
}
TITLE_LIMIT = 160
TEST_TEXT = "This is a test of the channel {name}: alerts will arrive here."
