from __future__ import annotations

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from arguslm.api.work import send
from models_app.tasks import discover_models
from providers.signals import account_created


@receiver(account_created, dispatch_uid="models_app.discover")
def discover_after_creation(sender: object, account_id: UUID, **kwargs: Any) -> None:
    send(discover_models, str(account_id))
