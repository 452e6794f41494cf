"""Who carries messages: a thread for each channel that has something due.

A receiver may take half a minute to answer; the workers' own threads are not for that.
"""

from __future__ import annotations

import logging
import threading
from uuid import UUID

from django.db import close_old_connections

from alerts import delivery
from providers.measurement import now_ns

log = logging.getLogger(__name__)
# This many receivers may be slow at the same time before a healthy one has to wait for them.
CHANNELS_AT_ONCE = 100


class Couriers:
    """At most one thread for a channel. Whom it turns away, a later sweep sends again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: dict[UUID, threading.Thread] = {}
        self._is_leaving = False

    def take(self, channel_id: UUID) -> bool:
        with self._lock:
            is_full = len(self._at_work) >= CHANNELS_AT_ONCE
            if self._is_leaving or is_full or channel_id in self._at_work:
                return False
            # A daemon: what it has claimed and not settled is sent again when its lease runs out.
            courier = threading.Thread(
                target=self._carry, args=(channel_id,), name="alerts-courier", daemon=True
            )
            self._at_work[channel_id] = courier
        courier.start()
        return True

    def leave(self) -> None:
        """Takes nothing more; what is on its way still arrives."""
        self._is_leaving = True

    def wait(self, timeout_s: float) -> None:
        began_ns = now_ns()
        for courier in list(self._at_work.values()):
            courier.join(max(0.0, timeout_s - (now_ns() - began_ns) / 1e9))

    def _carry(self, channel_id: UUID) -> None:
        try:
            while not self._is_leaving and delivery.send_next(channel_id):
                pass
        except Exception:  # a fault with one channel is no fault of the others; it is tried again
            log.exception("Channel %s could not be served.", channel_id)
        finally:
            with self._lock:
                del self._at_work[channel_id]
            close_old_connections()


couriers = Couriers()
