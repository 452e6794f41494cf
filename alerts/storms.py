"""Many alerts in one round, few messages: how events are bundled for one channel."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alerts import messages
from alerts.facts import LLMFact, Standing
from alerts.states import Event
from alerts.topics import Topic, topic_of
from monitoring.status import CheckStatus
from providers.errors import ErrorClass

FEWEST_ROLLED_UP = 2
SMALL_FLEET = 100
FEW_MESSAGES = 10
DIGEST_SCOPE = "digest"
# The whole account is affected, whatever share of its LLMs was probed.
ACCOUNT_FAULTS = frozenset({ErrorClass.AUTH, ErrorClass.QUOTA})


PHRASES: dict[Topic, str] = {
    Topic.DOWN: "are down",
    Topic.SLOW: "are slow",
    Topic.RECOVERED: "are back",
    Topic.REMINDER: "still have an open alert",
    Topic.NOTICE: "are answered by another model than before",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """One message. ``scope`` is the alerts' own, ``provider:<id>`` or ``digest``."""

    topic: Topic
    scope: str
    message: str
    events: tuple[Event, ...]
    error_class: ErrorClass | None = None


def roll_up(
    events: Iterable[Event], fleet: Sequence[LLMFact], spent: Mapping[Topic, int] | None = None
) -> tuple[Bundle, ...]:
    """The messages of one round for one channel: at most (providers + 1) of each topic.

    Quiet events are dropped. LLMs of a provider that went the same way together become one
    message; so does an account fault. What is left over becomes one digest if it is still much.
    ``spent``: messages of the round that are out already, by topic.
    """
    used = spent or {}
    return tuple(
        bundle
        for storm in _storms(events, fleet)
        for bundle in storm.bundles(storm.limit - used.get(storm.topic, 0))
    )


@dataclass(frozen=True, slots=True)
class Part:
    """What of a round that still goes on is told now, and what only with its end."""

    bundles: tuple[Bundle, ...]
    held: tuple[Event, ...]


def roll_up_part(
    events: Iterable[Event],
    fleet: Sequence[LLMFact],
    spent: Mapping[Topic, int],
    waiting: Collection[UUID],
    *,
    is_overdue: bool = False,
) -> Part:
    """The messages before a round's end, such that the whole round keeps to its limit.

    One message of each topic is kept for the end, one for each provider in ``waiting`` (those
    that are still being probed and of which nothing was told yet), and some for what has been
    held for too long. ``is_overdue``: some of it has, so that all that is left is told together.
    """
    told: list[Bundle] = []
    held: list[Event] = []
    for storm in _storms(events, fleet):
        kept = len(set(waiting) - storm.providers)
        used = spent.get(storm.topic, 0) + 1
        bundles = storm.fitting(storm.limit_at_once - used - kept)
        left = storm.without(bundles)
        if left and is_overdue and len(bundles) < storm.limit_while_open - used:
            bundles, left = [*bundles, storm.in_one(left)], []
        told += bundles
        held += left
    return Part(tuple(told), tuple(held))


def _storms(events: Iterable[Event], fleet: Sequence[LLMFact]) -> list[_Storm]:
    by_topic: dict[Topic, list[Event]] = defaultdict(list)
    for event in events:
        if not event.quiet:
            by_topic[topic_of(event)].append(event)
    # What is about no model has words of its own.
    apart = [event for event in by_topic[Topic.NOTICE] if not event.llm_ids]
    by_topic[Topic.NOTICE] = [event for event in by_topic[Topic.NOTICE] if event.llm_ids]
    alone = [_Storm(Topic.NOTICE, [event], fleet) for event in apart]
    return alone + [_Storm(topic, by_topic[topic], fleet) for topic in Topic if by_topic[topic]]


class _Storm:
    """The loud events of one topic. Rules that tell the same about one scope are told once."""

    def __init__(self, topic: Topic, events: Sequence[Event], fleet: Sequence[LLMFact]) -> None:
        self.topic = topic
        self.events = events
        # Benchmarks and notices also speak of models that are not monitored.
        about = {llm_id for event in events for llm_id in event.llm_ids}
        counted = [m for m in fleet if m.standing is Standing.MONITORED or m.llm_id in about]
        self._by_id = {llm.llm_id: llm for llm in counted}
        self._sizes = Counter(llm.provider_id for llm in counted)
        self._is_small = len(counted) <= SMALL_FLEET
        downs = (llm for llm in counted if llm.status is CheckStatus.DOWN)
        self._down = Counter((llm.provider_id, llm.error_class) for llm in downs)

    @property
    def limit(self) -> int:
        return len(self._sizes) + 1

    @property
    def limit_at_once(self) -> int:
        """Where many may follow, a part is left for what has to be told a little later."""
        return self.limit if self._is_small else self.limit - self.limit // 4

    @property
    def limit_while_open(self) -> int:
        """Few models cannot make a storm: there, being told soon is worth a message more."""
        return max(self.limit, FEW_MESSAGES) if self._is_small else self.limit

    @property
    def providers(self) -> set[UUID]:
        return set(self._by_provider())

    def bundles(self, limit: int) -> list[Bundle]:
        """All events in at most ``limit`` messages, but at least in one."""
        rolled = [
            self._provider_bundle(provider_id, common)
            for provider_id, events in self._by_provider().items()
            if (common := self._common(provider_id, events))
        ]
        left = self._left(rolled)
        if len(rolled) + len(left) <= limit:
            return rolled + [self._single(same) for same in left.values()]
        if len(rolled) < limit:
            return [*rolled, *([self._digest(left)] if left else [])]
        return [self.in_one(self.events)]

    def in_one(self, events: Sequence[Event]) -> Bundle:
        """All of them in one message."""
        same: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            same[event.scope].append(event)
        if len(same) == 1:
            return self._single(events)
        providers = {llm.provider_id if llm else None for llm in map(self._llm, events)}
        [common, *others] = providers
        if common is None or others:
            return self._digest(same)
        return self._provider_bundle(common, events)

    def without(self, bundles: Iterable[Bundle]) -> list[Event]:
        taken = {id(event) for bundle in bundles for event in bundle.events}
        return [event for event in self.events if id(event) not in taken]

    def fitting(self, slots: int) -> list[Bundle]:
        """Events in at most ``slots`` messages; one for each provider if not all would fit."""
        if slots <= 0:
            return []
        whole = self.bundles(self.limit)
        if len(whole) <= slots:
            return whole
        merged = [
            self._provider_bundle(provider_id, events)
            if len(_llm_ids(events)) > 1
            else self._single(events)
            for provider_id, events in self._by_provider().items()
        ]
        merged += [self._single(same) for same in self._left(merged).values()]
        return merged[:slots]

    def _left(self, rolled: Iterable[Bundle]) -> dict[str, list[Event]]:
        """The events that are in none of the messages, by scope."""
        left: dict[str, list[Event]] = defaultdict(list)
        for event in self.without(rolled):
            left[event.scope].append(event)
        return left

    def _by_provider(self) -> dict[UUID, list[Event]]:
        found: dict[UUID, list[Event]] = defaultdict(list)
        for event in self.events:
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
        if self.topic is Topic.DOWN:
            count = max(count, self._down[provider_id, error_class])
        if count >= FEWEST_ROLLED_UP and 2 * count >= self._sizes[provider_id]:
            return list(events)
        account = [event for event in events if event.error_class in ACCOUNT_FAULTS]
        return account if len(_llm_ids(account)) >= FEWEST_ROLLED_UP else []

    def _commonest(self, events: Sequence[Event]) -> tuple[ErrorClass | None, int]:
        """The class that most LLMs share. What came back is one story whatever it had."""
        classes = {event.llm_ids[0]: event.error_class for event in events}
        error_class, count = Counter(classes.values()).most_common(1)[0]
        return error_class, len(classes) if self.topic is Topic.RECOVERED else count

    def _commonest_class(self, events: Iterable[Event]) -> ErrorClass | None:
        [(error_class, _)] = Counter(event.error_class for event in events).most_common(1)
        return error_class

    def _provider_bundle(self, provider_id: UUID, events: Sequence[Event]) -> Bundle:
        error_class, _ = self._commonest(events)
        llms = [self._by_id[llm_id] for llm_id in _llm_ids(events)]
        story = messages.together(
            llms[0].provider_name,
            f"{len(llms)} of {self._sizes[provider_id]} models {PHRASES[self.topic]}",
            self._since(events),
            self._why(events, error_class),
            [llm.custom_name or llm.name for llm in llms],
        )
        scope = f"provider:{provider_id}"
        return Bundle(self.topic, scope, story, tuple(events), error_class)

    def _why(self, events: Sequence[Event], error_class: ErrorClass | None) -> str | None:
        if error_class is None or self.topic is not Topic.DOWN:
            return None
        is_only = len({event.error_class for event in events}) == 1
        return messages.cause(error_class) if is_only else f"mostly: {messages.cause(error_class)}"

    def _since(self, events: Sequence[Event]) -> datetime | None:
        if self.topic is Topic.RECOVERED:
            return None
        llms = (self._llm(event) for event in events)
        known = [(llm and llm.since) or e.at for llm, e in zip(llms, events, strict=True)]
        return min(known)

    def _single(self, same: Sequence[Event]) -> Bundle:
        first = same[0]
        return Bundle(self.topic, first.scope, first.message, tuple(same), first.error_class)

    def _digest(self, left: Mapping[str, Sequence[Event]]) -> Bundle:
        events = tuple(event for same in left.values() for event in same)
        firsts = [same[0] for same in left.values()]
        story = messages.digest(
            f"{len(left)} {PHRASES[self.topic]}",
            self._since(events),
            self._why(firsts, self._commonest_class(firsts)),
            self._subjects(firsts),
        )
        return Bundle(self.topic, DIGEST_SCOPE, story, events)

    def _subjects(self, firsts: Sequence[Event]) -> list[str]:
        """Each by its name or, when there are too many, the providers with their numbers."""
        if len(firsts) <= messages.NAMES_LISTED:
            return [self._subject(event) for event in firsts]
        llms = [self._llm(event) for event in firsts]
        counts = Counter(llm.provider_id for llm in llms if llm)
        names = {llm.provider_id: llm.provider_name for llm in llms if llm}
        shown = [f"{n} of {self._sizes[pk]} at {names[pk]}" for pk, n in counts.most_common()]
        return shown + [self._subject(e) for e, llm in zip(firsts, llms, strict=True) if not llm]

    def _subject(self, event: Event) -> str:
        llm = self._llm(event)
        return llm.label if llm else event.scope.partition(":")[2] or event.scope


def _llm_ids(events: Iterable[Event]) -> list[UUID]:
    """Each LLM once, in order."""
    return list(dict.fromkeys(event.llm_ids[0] for event in events))
