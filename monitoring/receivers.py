from __future__ import annotations

from typing import Any

from django.db.models.signals import pre_delete
from django.dispatch import receiver

from models_app.models import LLM
from monitoring.models import Recount


@receiver(pre_delete, sender=LLM, dispatch_uid="monitoring.recount")
def recount_without_a_deleted_llm(**kwargs: Any) -> None:
    """Its checks and rollups go by the database's rules; the totals do not know of them.

    A row of its own, because nobody then waits for a lock until a long deletion is over.
    """
    Recount.objects.create()
