"""Which model a provider says it answers with, and whether that has changed."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import transaction

from models_app.models import LLM
from monitoring.models import ReportedModel
from monitoring.signals import model_changed
from providers.measurement import Outcome

log = logging.getLogger(__name__)


def note(llm: LLM, outcome: Outcome, current: dict[UUID, ReportedModel]) -> None:
    """Compares with what was known and stores a difference. `current` is kept up to date.

    A fingerprint may come and go between several machines of a provider: only one that was never
    seen before is a change. Another model name always is.
    """
    if not outcome.ok or not outcome.model_reported:
        return
    known = current.get(llm.pk)
    reported, fingerprint = outcome.model_reported[:255], (outcome.fingerprint or "")[:255]
    if known and (known.model_reported, known.fingerprint) == (reported, fingerprint):
        return
    now = outcome.started_at
    if not LLM.objects.filter(pk=llm.pk).exists():
        return
    names = {"llm_id": llm.pk, "model_reported": reported, "fingerprint": fingerprint}
    row = ReportedModel.objects.filter(**names).first()
    is_new = row is None
    row = row or ReportedModel(**names, first_seen_at=now)
    with transaction.atomic():
        row.replace(known, now)
    current[llm.pk] = row
    if known is not None and (is_new or known.model_reported != reported):
        _tell(llm, known, row)


def _tell(llm: LLM, before: ReportedModel, after: ReportedModel) -> None:
    log.warning("%s is answered by %s now, by %s before.", llm.name, after, before)
    transaction.on_commit(
        lambda: model_changed.send_robust(sender=LLM, llm=llm, before=before, after=after)
    )
