"""An account goes while its models are asked: what is written meanwhile must not keep it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections

from models_app.models import LLM
from monitoring.models import CheckRollup, Recount, ReportedModel, RoundShare, UptimeCheck
from providers.models import ProviderAccount
from tests.make import make_check, make_round
from tests.monitoring.conftest import make_monitored

# On SQLite there is only one writer at a time: nothing can come in between.
pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="needs two writers")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def elsewhere(write: Callable[[], Any]) -> None:
    """As another process would: on a connection of its own, committed at once."""

    def written() -> None:
        try:
            write()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(written).result()


@pytest.mark.django_db(transaction=True)
def test_what_is_written_while_an_account_is_deleted_goes_with_it() -> None:
    llm, running = make_monitored(), make_round(status="running")
    meanwhile: dict[str, Callable[[], Any]] = {
        "models_app_llm": lambda: make_history_of(llm),
        "providers_provideraccount": lambda: make_share(running.pk, llm.account_id),
    }

    def interfere(execute: Any, sql: str, *rest: Any) -> Any:
        table = next((name for name in meanwhile if sql.startswith(f'DELETE FROM "{name}"')), None)
        if table is not None:
            elsewhere(meanwhile.pop(table))
        return execute(sql, *rest)

    with connection.execute_wrapper(interfere):
        llm.account.delete()
    assert not meanwhile
    for model in (ProviderAccount, LLM, UptimeCheck, CheckRollup, ReportedModel, RoundShare):
        assert not model._default_manager.exists()
    assert Recount.objects.exists()


def make_history_of(llm: LLM) -> None:
    make_check(llm)
    CheckRollup.objects.create(llm=llm, span="h", start=NOON, up=1)
    ReportedModel.objects.create(llm=llm, first_seen_at=NOON, current_since=NOON)


def make_share(round_id: Any, account_id: Any) -> None:
    RoundShare.objects.create(round_id=round_id, account_id=account_id)
