"""The recent checks of models, as a sparkline shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from math import log2
from uuid import UUID

from django.db.models import OuterRef, Subquery

from arguslm.dashboard.sparkline import SLOTS, Beat
from models_app.models import LLM
from monitoring.models import UptimeCheck

EVER = datetime.fromtimestamp(0, UTC)


def beats_of(llm_ids: Collection[UUID], now: datetime) -> dict[UUID, list[Beat]]:
    """The newest checks of each LLM, oldest first.

    Models that are checked about equally often are asked for together, so there are a few queries
    whatever the intervals, and none reads much more than it shows.
    """
    own = UptimeCheck.objects.filter(llm=OuterRef("pk")).order_by("-created_at", "-id")
    oldest = Subquery(own.values("created_at")[SLOTS - 1 : SLOTS])
    rows = LLM.objects.filter(pk__in=llm_ids).order_by().annotate(oldest=oldest)
    by_age: dict[int, list[tuple[UUID, datetime]]] = defaultdict(list)
    for llm_id, start in rows.values_list("pk", "oldest"):
        since = start or EVER
        by_age[int(log2(max((now - since).total_seconds(), 1)))].append((llm_id, since))
    found: dict[UUID, list[Beat]] = {llm_id: [] for llm_id in llm_ids}
    for members in by_age.values():
        ids, starts = zip(*members, strict=True)
        checks = UptimeCheck.objects.filter(llm__in=ids, created_at__gte=min(starts))
        columns = ("llm", "created_at", "ttft_ms", "status")
        for llm_id, at, ttft, status in checks.order_by("created_at", "id").values_list(*columns):
            found[llm_id].append(Beat(at, ttft, status))
    return {llm_id: beats[-SLOTS:] for llm_id, beats in found.items()}
