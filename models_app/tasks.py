from __future__ import annotations

import logging

from celery import shared_task

from models_app.discovery import refresh
from providers.models import ProviderAccount

log = logging.getLogger(__name__)


@shared_task(name="models_app.discover_models")
def discover_models(account_id: str) -> None:
    """Lists the models of a new account. A failure is no loss: the user can ask again."""
    account = ProviderAccount.objects.filter(pk=account_id, enabled=True).first()
    if account is None:
        return
    verdict = refresh(account)
    log.info("Account %s: %s", account.pk, verdict.message)
