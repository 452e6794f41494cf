from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from models_app.models import LLM
from monitoring.models import CheckRollup, Recount, ReportedModel, RoundShare, UptimeCheck
from providers.models import ProviderAccount


@receiver(pre_delete, sender=LLM, dispatch_uid="monitoring.recount")
def recount_without_a_deleted_llm(**kwargs: Any) -> None:
    """Its checks and rollups go by the database's rules; the totals do not know of them.

    A row of its own, because nobody then waits for a lock until a long deletion is over.
    """
    Recount.objects.create()


# The checks of an account may take minutes to delete, and its models are asked meanwhile. What is
# written after their turn would be left without a model, and the deletion would fail at its end.
# Once the model's own row is deleted, writers wait for the end: what goes then is the last of it.


@receiver(post_delete, sender=LLM, dispatch_uid="monitoring.late_rows_of_llm")
def take_along_what_came_late(instance: LLM, **kwargs: Any) -> None:
    for model in (UptimeCheck, CheckRollup, ReportedModel):
        _delete(model._default_manager.filter(llm=instance.pk))


@receiver(post_delete, sender=ProviderAccount, dispatch_uid="monitoring.late_shares")
def take_along_late_shares(instance: ProviderAccount, **kwargs: Any) -> None:
    _delete(RoundShare.objects.filter(account=instance.pk))


def _delete(rows: QuerySet[Any]) -> None:
    rows._raw_delete(rows.db)
