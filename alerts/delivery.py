"""Sends what waits in the outbox: at least once, in order, one message per channel at a time."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYet
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import close_old_connections, transaction
from django.utils import timezone

from alerts import letters
from alerts.announcements import announce
from alerts.backoff import next_attempt
from alerts.cases import case_of
from alerts.letters import Case
from alerts.models import Attempt, Channel, Delivery
from alerts.transports import Answer, Verdict, send, style_of
from arguslm.api.leases import HEARTBEAT_S, LeaseLost
from arguslm.api.work import send as enqueue
from providers.measurement import now_ns
from providers.secrets import Undecryptable

log = logging.getLogger(__name__)
DEADLINE_S = 35.0
TEST_DEADLINE_S = 20.0
UNACCEPTABLE_ATTEMPTS = 5
MAX_CRASHES = 10
LATE = Answer(Verdict.AGAIN, error=f"No answer came within {DEADLINE_S:.0f} s.")


def call_out_after_commit() -> None:
    transaction.on_commit(call_out)


def call_out() -> list[UUID]:
    """Hands every channel that has something due to a worker."""
    channels = due_channels(timezone.now())
    from alerts.tasks import deliver  # the task calls this module

    for channel_id in channels:
        enqueue(deliver, str(channel_id))
    return channels


def due_channels(now: datetime) -> list[UUID]:
    return list(Delivery.objects.heads().due(now).order_by("seq").values_list("channel", flat=True))


def drain(channel_id: UUID) -> int:
    """Sends what is due on the channel, oldest first, until one fails; how many went out."""
    count = 0
    while send_next(channel_id):
        count += 1
    return count


def send_next(channel_id: UUID) -> bool:
    """Sends the oldest delivery of the channel if it is due; whether the next one may follow."""
    now = timezone.now()
    head = Delivery.objects.heads().due(now).filter(channel=channel_id).first()
    delivery = Delivery.claim(head.pk, now) if head else None
    if delivery is None:
        return False
    try:
        return _carry(delivery)
    except LeaseLost:
        log.warning("Delivery %s went to another worker, this one stops.", delivery.id)
        return False


def _carry(delivery: Delivery) -> bool:
    """Sends one claimed delivery and writes down what became of it."""
    started = timezone.now()
    began_ns = now_ns()
    case = case_of(delivery)
    answer = _answer(delivery, case)
    if answer is None:
        delivery.release()
        return False
    duration_ms = (now_ns() - began_ns) / 1e6
    return _settle(delivery, answer, started, duration_ms, case)


def _answer(delivery: Delivery, case: Case) -> Answer | None:
    """None when this process ends before there is one: the next one sends it again."""
    channel = delivery.channel
    assert channel is not None
    if delivery.crashes > MAX_CRASHES:
        return Answer(Verdict.UNACCEPTABLE, error="It has ended its worker too often.")
    try:
        sending = begin(channel, str(delivery.id), delivery.message.payload, case)
    except Undecryptable as exc:
        return Answer(Verdict.AGAIN, error=str(exc))
    return _wait(sending, delivery)


def begin(
    channel: Channel, message_id: str, payload: dict[str, Any], case: Case | None = None
) -> Future[Answer]:
    secrets, config = channel.signing_secrets(timezone.now()), channel.config
    letter = letters.letter(style_of(channel.kind, config), message_id, payload, case)
    return send(channel.kind, config, secrets, letter)


def _wait(sending: Future[Answer], delivery: Delivery) -> Answer | None:
    """Keeps the lease while the receiver takes its time."""
    began_ns = now_ns()
    while True:
        close_old_connections()  # nobody who waits keeps one from those who work
        try:
            return sending.result(timeout=HEARTBEAT_S)
        except CancelledError:
            return None
        except NotYet:
            if (now_ns() - began_ns) / 1e9 > DEADLINE_S:
                sending.cancel()
                return LATE
            delivery.heartbeat()


def _settle(
    delivery: Delivery,
    answer: Answer,
    started: datetime,
    duration_ms: float,
    case: Case,
) -> bool:
    now = timezone.now()
    with transaction.atomic():
        # What speaks of a case that is open already is none of its own.
        own_case = {"case_closed_at": now} if answer.ok and case.opened_by else {}
        delivery.own(**_changes(delivery, answer, now), **own_case)
        if answer.ok and case.closes:
            Delivery.objects.filter(id__in=case.closes).update(case_closed_at=now)
        Attempt.objects.create(
            delivery=delivery,
            at=started,
            duration_ms=duration_ms,
            ok=answer.ok,
            status_code=answer.status_code,
            error=answer.error,
        )
        if answer.verdict is Verdict.PERMANENT and delivery.channel is not None:
            delivery.channel.switch_off(answer.error)
    if answer.verdict is Verdict.PERMANENT:
        announce()
    if not answer.ok:
        log.warning("Channel %s: %s", delivery.channel_name, answer.error)
    return answer.ok


def _changes(delivery: Delivery, answer: Answer, now: datetime) -> dict[str, Any]:
    made = delivery.attempts_made + 1
    changes: dict[str, Any] = {
        "attempts_made": made,
        "lease_expires_at": None,
        "last_error": answer.error,
    }
    if answer.ok:
        return {**changes, "status": Delivery.Status.DELIVERED, "delivered_at": now}
    following = next_attempt(made, now, answer.retry_after_s)
    is_lost = answer.verdict is Verdict.UNACCEPTABLE and made >= UNACCEPTABLE_ATTEMPTS
    if is_lost or following > delivery.give_up_at or delivery.crashes > MAX_CRASHES:
        return {**changes, "status": Delivery.Status.FAILED}
    # A channel that is switched off keeps it, and sends it when somebody switches it on in time.
    return {**changes, "status": Delivery.Status.PENDING, "next_attempt_at": following}


def test(channel: Channel, payload: dict[str, Any], message_id: str) -> tuple[Answer, float]:
    """Sends once and waits for the answer; nothing is stored. Also the duration in ms."""
    began_ns = now_ns()
    try:
        sending = begin(channel, message_id, payload)
        answer = sending.result(timeout=TEST_DEADLINE_S)
    except NotYet:
        sending.cancel()
        answer = Answer(Verdict.AGAIN, error=f"No answer came within {TEST_DEADLINE_S:.0f} s.")
    except Undecryptable as exc:
        answer = Answer(Verdict.AGAIN, error=str(exc))
    return answer, (now_ns() - began_ns) / 1e6
