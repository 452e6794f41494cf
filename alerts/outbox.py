"""Writes what happened and what is to be told of it, in the transaction of the alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from alerts.backoff import GIVE_UP_AFTER
from alerts.facts import LLMFact
from alerts.letters import payload_of
from alerts.models import Alert, AlertEvent, Delivery, Message
from alerts.recipients import Recipients, awaited, is_muted, mutes, recipients, told_of
from alerts.states import Event, EventKind
from alerts.storms import Bundle, Part, roll_up, roll_up_part
from alerts.topics import Topic
from monitoring.models import Round, RoundShare
from providers.errors import ErrorClass

# So that a failure is told within seconds whatever keeps its round open.
HELD_FOR_AT_MOST = timedelta(seconds=2.5)


@dataclass(frozen=True, slots=True)
class Occasion:
    """When events are told: with a round, in the middle of one, or apart from any."""

    fleet: Sequence[LLMFact]
    round: Round | None = None
    is_part: bool = False

    @property
    def owners(self) -> dict[UUID, UUID]:
        return {llm.llm_id: llm.provider_id for llm in self.fleet}


@dataclass(slots=True)
class News:
    """A loud event, its row, and the channels that are to hear of it."""

    event: Event
    row: AlertEvent
    channels: set[UUID] = field(default_factory=set)
    held_for: set[UUID] = field(default_factory=set)


def write(events: Iterable[Event], alerts: Mapping[tuple[UUID, str], UUID], on: Occasion) -> None:
    """`alerts`: the row of each (rule, scope) that an event without an id is about."""
    new = [_news(event, alerts, on) for event in events if event.kind is not EventKind.SEEN]
    waiting = _held(on.round) if on.round else []
    loud = [each for each in new if not each.event.quiet]
    if not loud and not waiting:
        AlertEvent.objects.bulk_create([each.row for each in new])
        return
    known = recipients()
    _address(loud, known, on)
    _address(waiting, known, on, only_held=True)
    new, loud = _worth_telling(new), _worth_telling(loud)
    plan = _plan([*waiting, *loud], known, on)
    AlertEvent.objects.bulk_create([each.row for each in new])
    _release(waiting)
    send(plan, known, on)
    _remember_muted(loud)


def _news(event: Event, alerts: Mapping[tuple[UUID, str], UUID], on: Occasion) -> News:
    row = AlertEvent(
        alert_id=event.alert_id or alerts[event.rule_id, event.scope],
        kind=event.kind,
        at=event.at,
        message=event.message,
        quiet=event.quiet,
        is_open=event.is_open,
        round=on.round,
    )
    return News(event, row)


def _held(round: Round) -> list[News]:
    """What earlier looks at the round have kept for later; it may be over by now."""
    rows = AlertEvent.objects.filter(round=round, is_held=True).select_related("alert")
    return [News(event_of(row), row) for row in rows.order_by("pk")]


def event_of(row: AlertEvent) -> Event:
    alert = row.alert
    return Event(
        kind=EventKind(row.kind),
        rule_id=alert.rule_key,
        scope=alert.scope,
        at=row.at,
        message=row.message,
        alert_id=alert.pk,
        llm_ids=(alert.llm_id,) if alert.llm_id else (),
        error_class=ErrorClass(alert.error_class) if alert.error_class else None,
        is_open=row.is_open,
    )


def _address(
    news: Sequence[News], known: Recipients, on: Occasion, *, only_held: bool = False
) -> None:
    if not news:
        return
    active, owners = mutes(timezone.now()), on.owners
    ended = {each.row.alert_id for each in news if not each.event.is_open}
    told = told_of(ended)
    reminded = {each.row.alert_id for each in news if each.event.kind is EventKind.REMINDED}
    # Who is still to be told of it needs no reminder: a receiver that was away would get them all.
    on_its_way = awaited(reminded) if reminded else {}
    for each in news:
        event = each.event
        if is_muted(active, event.rule_id, event.llm_ids, owners):
            each.row.muted = True
        elif not event.is_open:
            each.channels = set(told.get(each.row.alert_id, ()))
        elif not only_held or each.row.alert.resolved_at is None:
            each.channels = set(known.by_rule.get(event.rule_id, ()))
            each.channels -= on_its_way.get(each.row.alert_id, set())
        if only_held:
            each.channels &= {UUID(pk) for pk in each.row.held_for}


def _worth_telling(news: Iterable[News]) -> list[News]:
    """A reminder that reaches nobody has not happened."""
    return [each for each in news if each.channels or each.event.kind is not EventKind.REMINDED]


PlanEntry = tuple[Bundle, list[News], list[UUID]]
Plan = list[PlanEntry]


def _plan(news: Sequence[News], known: Recipients, on: Occasion) -> Plan:
    """The bundles with the channels they go to; what is held is noted on the news."""
    spent = _spent(on.round) if on.round else {}
    waiting = _unheard(on.round) if on.round and on.is_part else set()
    by_event = {id(each.event): each for each in news}
    plan: dict[tuple[tuple[int, ...], str], PlanEntry] = {}
    made: dict[tuple[tuple[int, ...], tuple[tuple[Topic, int], ...]], Part] = {}
    for channel_id in known.by_id:
        events = [each.event for each in news if channel_id in each.channels]
        used = spent.get(channel_id, {})
        if not events:
            continue
        key = (tuple(map(id, events)), tuple(sorted(used.items())))
        if key not in made:
            made[key] = _part(events, on, used, waiting)
        for event in made[key].held:
            by_event[id(event)].held_for.add(channel_id)
        for bundle in made[key].bundles:
            of = [by_event[id(event)] for event in bundle.events]
            place = (tuple(map(id, bundle.events)), bundle.message)
            plan.setdefault(place, (bundle, of, []))[2].append(channel_id)
    for each in news:
        each.row.is_held = bool(each.held_for)
        each.row.held_for = sorted(map(str, each.held_for))
    return list(plan.values())


def _part(events: list[Event], on: Occasion, used: Mapping[Topic, int], waiting: set[UUID]) -> Part:
    if on.is_part:
        late = timezone.now() - HELD_FOR_AT_MOST
        is_overdue = any(event.at <= late for event in events)
        return roll_up_part(events, on.fleet, used, waiting, is_overdue=is_overdue)
    return Part(roll_up(events, on.fleet, used), ())


def _spent(round: Round) -> dict[UUID, dict[Topic, int]]:
    """The messages that the round has cost so far, by channel and topic."""
    rows = Delivery.objects.filter(message__round=round, channel__isnull=False)
    counts = rows.order_by().values_list("channel", "message__topic").annotate(n=Count("pk"))
    found: dict[UUID, dict[Topic, int]] = defaultdict(dict)
    for channel_id, topic, number in counts:
        found[channel_id][Topic(topic)] = number
    return found


def _unheard(round: Round) -> set[UUID]:
    """Accounts that are still being probed and of which nothing was told in this round."""
    open_shares = RoundShare.objects.open().filter(round=round)
    told = AlertEvent.objects.filter(round=round, quiet=False, muted=False, is_held=False)
    heard = told.filter(alert__llm__isnull=False).order_by().values("alert__llm__account")
    return set(open_shares.exclude(account__in=heard).values_list("account", flat=True))


def _release(waiting: Sequence[News]) -> None:
    if waiting:
        rows = [each.row for each in waiting]
        AlertEvent.objects.bulk_update(rows, ["is_held", "held_for", "muted"], batch_size=100)


def _remember_muted(loud: Iterable[News]) -> None:
    """What a silence keeps back is told when it ends; a reminder is not worth that."""
    muted = [n.row.alert_id for n in loud if n.row.muted and n.event.kind != EventKind.REMINDED]
    for part in Alert.objects.in_parts(muted):
        part.update(told_at=None)


def send(plan: Plan, known: Recipients, on: Occasion) -> None:
    if not plan:
        return
    now = timezone.now()
    alerts = _alerts_of(plan)
    messages = [_message(bundle, news, alerts, on, now) for bundle, news, _ in plan]
    Message.objects.bulk_create(messages)
    through = Message.events.through
    links = [
        through(message_id=message.pk, alertevent_id=each.row.pk)
        for message, (_, news, _) in zip(messages, plan, strict=True)
        for each in news
    ]
    through.objects.bulk_create(links)
    Delivery.objects.bulk_create(
        Delivery(
            message=message,
            channel_id=channel_id,
            channel_name=known.by_id[channel_id].name,
            channel_kind=known.by_id[channel_id].kind,
            next_attempt_at=now,
            give_up_at=now + GIVE_UP_AFTER,
            created_at=now,
        )
        for message, (_, _, channel_ids) in zip(messages, plan, strict=True)
        for channel_id in channel_ids
    )
    for part in Alert.objects.in_parts(list(alerts)):
        part.update(told_at=now)


def _alerts_of(plan: Plan) -> dict[UUID, dict[str, Any]]:
    ids = list({each.row.alert_id for _, news, _ in plan for each in news})
    columns = ("pk", "rule_key", "rule_name", "llm", "scope", "error_class", "resolved_at")
    found: dict[UUID, dict[str, Any]] = {}
    for part in Alert.objects.in_parts(ids):
        found.update((row["pk"], row) for row in part.values(*columns))
    return found


def _message(
    bundle: Bundle,
    news: Sequence[News],
    alerts: Mapping[UUID, Mapping[str, Any]],
    on: Occasion,
    now: datetime,
) -> Message:
    error_class = bundle.error_class.value if bundle.error_class else None
    return Message(
        round=on.round,
        topic=bundle.topic,
        scope=bundle.scope,
        text=bundle.message,
        created_at=now,
        payload=payload_of(
            bundle.topic,
            bundle.message,
            scope=bundle.scope,
            at=now,
            link=_link(news),
            error_class=error_class,
            entries=[_entry(each, alerts[each.row.alert_id]) for each in news],
        ),
    )


def _link(news: Sequence[News]) -> str:
    """To the alert's own page, or to all when there are several."""
    ids = {each.row.alert_id for each in news}
    place = f"/{ids.pop()}" if len(ids) == 1 else ""
    return f"{settings.PUBLIC_URL}/alerts{place}"


def _entry(each: News, alert: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alert_id": str(alert["pk"]),
        "rule_id": str(alert["rule_key"]),
        "rule_name": alert["rule_name"],
        "model_id": str(alert["llm"]) if alert["llm"] else None,
        "scope": alert["scope"],
        "event": each.event.kind.value,
        "state": "open" if each.event.is_open else "resolved",
        "at": each.event.at.isoformat(),
        "message": each.event.message,
        "error_class": alert["error_class"],
    }
