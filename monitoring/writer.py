"""Writes the finished checks of many shares in one transaction with the leases they need."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from arguslm.api.leases import LEASE, LeaseLost
from models_app.models import LLM
from models_app.probe import learn
from monitoring.checks import check_of
from monitoring.identities import Sighting, note
from monitoring.models import RoundShare, RoundShareQuerySet, UptimeCheck
from monitoring.signals import checks_recorded
from monitoring.works import Work

log = logging.getLogger(__name__)
AT_ONCE = 500
# The database is away or busy: what waits may be stored later.
AWAY = (OperationalError, InterfaceError)


def write(works: Sequence[Work]) -> list[Work]:
    """Stores what waits in each work, renews its lease and completes it when it is over.

    Returns the works that are to be given up, nothing of theirs being stored: their share belongs
    to this process no more, or they have a result that cannot be stored. Raises AWAY, everything
    then waiting as before.
    """
    try:
        return _write_together(works)
    except AWAY:
        raise
    except Exception:  # a fault of ours with one share must not cost the others their results
        log.exception("%d shares cannot be written together: each on its own.", len(works))
    return [lost for work in works for lost in _write_alone(work)]


def _write_alone(work: Work) -> list[Work]:
    try:
        return _write_together([work])
    except AWAY:
        raise
    except Exception:
        log.exception("Share %s has a result that cannot be stored.", work.share.pk)
        return [work]


def _write_together(works: Sequence[Work]) -> list[Work]:
    with transaction.atomic():
        held = _held(works)
        kept = [work for work in works if work.share.pk in held]
        rows = _store(kept)
        _leave_out(kept)
        _renew(work for work in kept if not work.is_complete)
        _complete(work for work in kept if work.is_complete)
    _remember(kept)
    for work in kept:
        work.without_result.clear()
        work.waiting.clear()
    if rows:
        checks_recorded.send_robust(sender=UptimeCheck, checks=rows)
    return [work for work in works if work.share.pk not in held]


def release(works: Iterable[Work]) -> None:
    """Lets other processes have the shares at once; being handed over is no crash."""
    for work in works:
        with suppress(LeaseLost):
            work.share.release()


def _held(works: Iterable[Work]) -> set[UUID]:
    """Shares whose fence is still ours, locked until the end of the transaction."""
    fences = {work.share.pk: work.share.fence for work in works}
    rows = RoundShare.objects.filter(pk__in=fences, status=RoundShare.running_state)
    locked = rows.order_by("pk").select_for_update().values_list("pk", "fence")
    return {pk for pk, fence in locked if fences[pk] == fence}


def _store(works: Sequence[Work]) -> list[UptimeCheck]:
    found = [(work, probed) for work in works for probed in work.waiting]
    kept = _existing({probed.llm_id for _, probed in found})
    rows = [
        check_of(work.share.round, work.llms[probed.llm_id], probed)
        for work, probed in found
        if probed.llm_id in kept
    ]
    UptimeCheck.objects.bulk_create(rows, ignore_conflicts=True, batch_size=AT_ONCE)
    return rows


def _leave_out(works: Iterable[Work]) -> None:
    """Who had no turn is not being probed any more: the next round may have them."""
    for work in works:
        if work.without_result:
            share = work.share
            share.left_out = sorted({*share.left_out, *map(str, work.without_result)})
            share.save(update_fields=["left_out"])


def _existing(llm_ids: Collection[UUID]) -> set[UUID]:
    """Without LLMs deleted or switched off meanwhile; the others cannot go before commit."""
    if not llm_ids:
        return set()
    rows = LLM.objects.monitored().filter(pk__in=llm_ids).order_by("pk")
    return set(rows.select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True))


def _renew(works: Iterable[Work]) -> None:
    _of(works).update(lease_expires_at=timezone.now() + LEASE)


def _complete(works: Iterable[Work]) -> None:
    _of(works).update(status=RoundShare.Status.COMPLETED, lease_expires_at=None)


def _of(works: Iterable[Work]) -> RoundShareQuerySet:
    return RoundShare.objects.filter(pk__in=[work.share.pk for work in works])


def _remember(works: Iterable[Work]) -> None:
    """What the answers have taught about accounts and models."""
    sightings = []
    for work in works:
        for probed in work.waiting:
            llm = work.llms[probed.llm_id]
            for outcome in probed.outcomes:
                learn(llm, outcome)
            sightings.append(Sighting(llm, probed.outcomes[-1], work.reported))
    note(sightings)
