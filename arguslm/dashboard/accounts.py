"""What the provider pages read."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from models_app.models import LLM, LLMQuerySet
from providers.models import ProviderAccount

MAX_ROWS = 300


def listed() -> QuerySet[ProviderAccount]:
    """With `models`, `monitored` and `benchmarked`: how many LLMs each account has."""
    return ProviderAccount.objects.annotate(
        models=Count("llms"),
        monitored=Count("llms", filter=Q(llms__enabled_for_monitoring=True)),
        benchmarked=Count("llms", filter=Q(llms__enabled_for_benchmark=True)),
    ).order_by("created_at", "id")


def models_of(account: ProviderAccount, search: str) -> list[LLM]:
    """At most MAX_ROWS + 1."""
    rows: LLMQuerySet = LLM.objects.filter(account=account)
    rows = rows.matching(search) if search else rows
    return list(rows.order_by("upstream_id", "id")[: MAX_ROWS + 1])
