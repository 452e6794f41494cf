"""Many alerts in one round, few messages: how events are bundled for one channel."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts import messages
from alerts.facts import LLMFact, Standing
from alerts.states import Event
from monitoring.status import CheckStatus
from providers.errors import ErrorClass

FEWEST_ROLLED_UP = 2
DIGEST_SCOPE = "digest"
# The whole account is affected, whatever share of its LLMs was probed.
ACCOUNT_FAULTS = frozenset({ErrorClass.AUTH, ErrorClass.QUOTA})


class Topic(StrEnum):
    """What a message is about; bundles never mix topics."""

    DOWN = "down"
    SLOW = "slow"
    RECOVERED = "recovered"


PHRASES: dict[Topic, str] = {
    Topic.DOWN: "are down",
    Topic.SLOW: "are slow",
    Topic.RECOVERED: "are back",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """One message. ``scope`` is the alerts' own, ``provider:<id>`` or ``digest``."""

    topic: Topic
    scope: str
    message: str
    events: tuple[Event, ...]
    error_class: ErrorClass | None = None


def roll_up(events: Iterable[Event], fleet: Sequence[LLMFact]) -> tuple[Bundle, ...]:
    """The messages of one round for one channel: at most (providers + 1) of each topic.

    Quiet events are dropped. LLMs of a provider that went the same way together become one
    message; so does an account fault. What is left over becomes one digest if it is still much.
    """
    by_topic: dict[Topic, list[Event]] = defaultdict(list)
    for event in events:
        if not event.quiet:
            by_topic[_topic(event)].append(event)
    monitored = [llm for llm in fleet if llm.standing is Standing.MONITORED]
    storms = (_Storm(topic, by_topic[topic], monitored) for topic in Topic if by_topic[topic])
    return tuple(bundle for storm in storms for bundle in storm.bundles())


def _topic(event: Event) -> Topic:
    if not event.is_open:
        return Topic.RECOVERED
    return Topic.SLOW if event.scope.startswith("perf:") else Topic.DOWN


class _Storm:
    """The loud events of one topic. Rules that tell the same about one scope are told once."""

    def __init__(self, topic: Topic, events: Sequence[Event], fleet: Sequence[LLMFact]) -> None:
        self._topic = topic
        self._events = events
        self._by_id = {llm.llm_id: llm for llm in fleet}
        self._sizes = Counter(llm.provider_id for llm in fleet)
        downs = (llm for llm in fleet if llm.status is CheckStatus.DOWN)
        self._down = Counter((llm.provider_id, llm.error_class) for llm in downs)

    def bundles(self) -> list[Bundle]:
        rolled = [
            self._provider_bundle(provider_id, common)
            for provider_id, events in self._by_provider().items()
            if (common := self._common(provider_id, events))
        ]
        taken = {id(event) for bundle in rolled for event in bundle.events}
        left: dict[str, list[Event]] = defaultdict(list)
        for event in self._events:
            if id(event) not in taken:
                left[event.scope].append(event)
        if len(rolled) + len(left) > len(self._sizes) + 1:
            return [*rolled, self._digest(left)]
        return rolled + [self._single(same) for same in left.values()]

    def _by_provider(self) -> dict[UUID, list[Event]]:
        found: dict[UUID, list[Event]] = defaultdict(list)
        for event in self._events:
            llm = self._llm(event)
            if llm is not None:
                found[llm.provider_id].append(event)
        return found

    def _llm(self, event: Event) -> LLMFact | None:
        return self._by_id.get(event.llm_ids[0]) if len(event.llm_ids) == 1 else None

    def _common(self, provider_id: UUID, events: Sequence[Event]) -> list[Event]:
        """The provider's events that are one story; none when each is its own."""
        error_class, count = self._commonest(events)
        if len(_llm_ids(events)) < FEWEST_ROLLED_UP:
            return []
        if self._topic is Topic.DOWN:
            count = max(count, self._down[provider_id, error_class])
        if count >= FEWEST_ROLLED_UP and 2 * count >= self._sizes[provider_id]:
            return list(events)
        account = [event for event in events if event.error_class in ACCOUNT_FAULTS]
        return account if len(_llm_ids(account)) >= FEWEST_ROLLED_UP else []

    def _commonest(self, events: Sequence[Event]) -> tuple[ErrorClass | None, int]:
        """The class that most LLMs share. What came back is one story whatever it had."""
        classes = {event.llm_ids[0]: event.error_class for event in events}
        error_class, count = Counter(classes.values()).most_common(1)[0]
        return error_class, len(classes) if self._topic is Topic.RECOVERED else count

    def _provider_bundle(self, provider_id: UUID, events: Sequence[Event]) -> Bundle:
        error_class, _ = self._commonest(events)
        llms = [self._by_id[llm_id] for llm_id in _llm_ids(events)]
        story = messages.together(
            llms[0].provider_name,
            f"{len(llms)} of {self._sizes[provider_id]} models {PHRASES[self._topic]}",
            None if self._topic is Topic.RECOVERED else self._since(events),
            self._why(events, error_class),
            [llm.custom_name or llm.name for llm in llms],
        )
        scope = f"provider:{provider_id}"
        return Bundle(self._topic, scope, story, tuple(events), error_class)

    def _why(self, events: Sequence[Event], error_class: ErrorClass | None) -> str | None:
        if error_class is None or self._topic is not Topic.DOWN:
            return None
        is_only = len({event.error_class for event in events}) == 1
        return messages.cause(error_class) if is_only else f"mostly: {messages.cause(error_class)}"

    def _since(self, events: Sequence[Event]) -> datetime:
        llms = [self._by_id[event.llm_ids[0]] for event in events]
        return min(llm.since or event.at for llm, event in zip(llms, events, strict=True))

    def _single(self, same: Sequence[Event]) -> Bundle:
        first = same[0]
        return Bundle(self._topic, first.scope, first.message, tuple(same), first.error_class)

    def _digest(self, left: Mapping[str, Sequence[Event]]) -> Bundle:
        events = tuple(event for same in left.values() for event in same)
        firsts = [same[0] for same in left.values()]
        story = messages.digest(
            f"{len(left)} more {PHRASES[self._topic]}", [self._subject(event) for event in firsts]
        )
        return Bundle(self._topic, DIGEST_SCOPE, story, events)

    def _subject(self, event: Event) -> str:
        llm = self._llm(event)
        return llm.label if llm else event.scope.partition(":")[2] or event.scope


def _llm_ids(events: Iterable[Event]) -> list[UUID]:
    """Each LLM once, in order."""
    return list(dict.fromkeys(event.llm_ids[0] for event in events))
