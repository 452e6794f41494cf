"""Which model a provider says it answers with, and whether that has changed."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import transaction

from models_app.models import LLM
from monitoring.models import ReportedModel
from providers.measurement import Outcome

log = logging.getLogger(__name__)


def note(llm: LLM, outcome: Outcome, current: dict[UUID, ReportedModel]) -> None:
    """Compares with what was known and stores a difference. `current` is kept up to date."""
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
    row = row or ReportedModel(**names, first_seen_at=now)
    with transaction.atomic():
        row.replace(known, now)
    current[llm.pk] = row
    if row.changed_at == now:
        log.warning("%s is answered by %s now, by %s before.", llm.name, row, row.replaced)
