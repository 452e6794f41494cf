"""Hints to open pages that alerts have moved. A lost one costs them a few seconds."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

from providers.loop import engine_loop

log = logging.getLogger(__name__)
GROUP = "alerts"


def announce_after_commit() -> None:
    transaction.on_commit(announce)


def announce() -> None:
    """Sends the hint and does not wait: an absent broker holds nobody up."""
    layer = get_channel_layer()
    sent: Future[None] = engine_loop().submit(layer.group_send(GROUP, {"type": "alerts.moved"}))
    sent.add_done_callback(_log_failure)


def _log_failure(sent: Future[Any]) -> None:
    try:
        exc = sent.exception(timeout=0)
    except CancelledError:
        return
    if exc is not None:
        log.warning("A hint to the open pages was not sent: %s", exc)
