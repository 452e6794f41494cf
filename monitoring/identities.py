"""Which model a provider says it answers with, and whether that has changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from models_app.models import LLM
from monitoring.models import ReportedModel
from providers.errors import ErrorClass
from providers.measurement import Outcome

log = logging.getLogger(__name__)
# The model answered, if not as it should: above all then it matters which one that was.
ANSWERED = frozenset({ErrorClass.ASSERTION, ErrorClass.NO_ANSWER, ErrorClass.CONTENT_FILTER})


@dataclass(frozen=True, slots=True)
class Sighting:
    """An answer of an LLM; `current` is what is known of the LLMs of its share, kept up to date."""

    llm: LLM
    outcome: Outcome
    current: dict[UUID, ReportedModel]

    @property
    def names(self) -> tuple[str, str]:
        outcome = self.outcome
        return (outcome.model_reported or "")[:255], (outcome.fingerprint or "")[:255]

    @property
    def is_news(self) -> bool:
        failure = self.outcome.failure
        is_answer = failure is None or failure.error_class in ANSWERED
        known = self.current.get(self.llm.pk)
        return is_answer and bool(self.outcome.model_reported) and not self.is_of(known)

    def is_of(self, row: ReportedModel | None) -> bool:
        return row is not None and (row.model_reported, row.fingerprint) == self.names


def note(sightings: Iterable[Sighting]) -> None:
    """Stores what differs from what was known."""
    news = [each for each in sightings if each.is_news]
    if not news:
        return
    with transaction.atomic():
        ids = {each.llm.pk for each in news}
        kept = LLM.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
        existing = set(kept.values_list("pk", flat=True))
        news = [each for each in news if each.llm.pk in existing]
        first = [each for each in news if each.llm.pk not in each.current]
        rows = [_row(each) for each in first]
        ReportedModel.objects.bulk_create(rows, ignore_conflicts=True)
        changed = [_replaced(each) for each in news if each.llm.pk in each.current]
    for each, row in (*zip(first, rows, strict=True), *changed):
        each.current[each.llm.pk] = row
        if row.changed_at == each.outcome.started_at:
            name = each.llm.name
            log.warning("%s is answered by %s now, by %s before.", name, row, row.replaced)


def _row(sighting: Sighting) -> ReportedModel:
    model_reported, fingerprint = sighting.names
    at = sighting.outcome.started_at
    return ReportedModel(
        llm_id=sighting.llm.pk,
        model_reported=model_reported,
        fingerprint=fingerprint,
        first_seen_at=at,
        current_since=at,
    )


def _replaced(sighting: Sighting) -> tuple[Sighting, ReportedModel]:
    model_reported, fingerprint = sighting.names
    known = ReportedModel.objects.filter(llm=sighting.llm.pk)
    # Another share of the account may have noted it meanwhile.
    current = known.filter(is_current=True).first() or sighting.current[sighting.llm.pk]
    if sighting.is_of(current):
        return sighting, current
    rows = known.filter(model_reported=model_reported, fingerprint=fingerprint)
    row = rows.first() or _row(sighting)
    row.replace(current, sighting.outcome.started_at)
    return sighting, row
