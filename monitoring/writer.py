"""Writes finished checks in batches, each batch in one transaction with the lease it needs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from django.db import InterfaceError, OperationalError, close_old_connections, transaction

from arguslm.api.leases import HEARTBEAT_S
from models_app.models import LLM
from models_app.probe import learn
from monitoring.checks import check_of
from monitoring.models import RoundShare, UptimeCheck
from monitoring.probing import Probed
from providers.measurement import now_ns

log = logging.getLogger(__name__)
FLUSH_S = 0.5
BATCH = 50
PATIENCE_S = 120.0


class Writer:
    """Raises LeaseLost as soon as the share belongs to another worker.

    A database that is away for less than PATIENCE_S costs no result: the batch waits.
    """

    def __init__(self, share: RoundShare, llms: Sequence[LLM]) -> None:
        self.share = share
        self.wanted = frozenset(llm.pk for llm in llms)
        self._llms = {llm.pk: llm for llm in llms}
        self._batch: list[Probed] = []
        self._tried_ns = self._written_ns = self._asked_ns = now_ns()

    def extend(self, probed: Iterable[Probed]) -> None:
        self._batch.extend(probed)

    def is_due(self) -> bool:
        waited_s = _seconds_since(self._tried_ns)
        return waited_s >= (FLUSH_S if self._batch else HEARTBEAT_S) or (
            len(self._batch) >= BATCH and self._tried_ns == self._written_ns
        )

    def write(self) -> bool:
        """Heartbeat and batch; False when the database did not take them this time."""
        self._tried_ns = now_ns()
        try:
            self._save()
        except (OperationalError, InterfaceError) as exc:
            if _seconds_since(self._written_ns) > PATIENCE_S:
                raise
            log.warning("%d checks wait for the database: %s", len(self._batch), exc)
            close_old_connections()
            return False
        self._batch.clear()
        self._written_ns = self._tried_ns
        return True

    def write_last(self) -> None:
        while not self.write():
            time.sleep(FLUSH_S)

    def _save(self) -> None:
        with transaction.atomic():
            self.share.heartbeat()
            rows = [check_of(self.share.round, llm, probed) for llm, probed in self._kept()]
            UptimeCheck.objects.bulk_create(rows, ignore_conflicts=True)
        for probed in self._batch:
            for outcome in probed.outcomes:
                learn(self._llms[probed.llm_id], outcome)
        if _seconds_since(self._asked_ns) >= HEARTBEAT_S:
            self._ask_what_is_wanted()

    def _kept(self) -> list[tuple[LLM, Probed]]:
        """Without LLMs deleted or switched off meanwhile; the others cannot go before commit."""
        if not self._batch:
            return []
        ids = [probed.llm_id for probed in self._batch]
        rows = LLM.objects.monitored().filter(pk__in=ids).order_by()
        kept = set(rows.select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True))
        return [(self._llms[p.llm_id], p) for p in self._batch if p.llm_id in kept]

    def _ask_what_is_wanted(self) -> None:
        monitored = LLM.objects.monitored().filter(account=self.share.account_id).order_by()
        self.wanted = frozenset(monitored.values_list("pk", flat=True))
        self._asked_ns = now_ns()


def _seconds_since(stamp_ns: int) -> float:
    return (now_ns() - stamp_ns) / 1e9
