"""Hints to the watchers of a run that its rows have moved. A lost one costs them two seconds."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

from providers.loop import engine_loop

log = logging.getLogger(__name__)


def group_of(run_id: UUID) -> str:
    return f"benchmarks.{run_id}"


def announce(run_id: UUID) -> None:
    """Sends the hint and does not wait: neither a slow nor an absent broker holds a run up."""
    layer = get_channel_layer()
    hint = {"type": "run.moved"}
    sent: Future[None] = engine_loop().submit(layer.group_send(group_of(run_id), hint))
    sent.add_done_callback(_log_failure)


def _log_failure(sent: Future[Any]) -> None:
    try:
        exc = sent.exception(timeout=0)
    except CancelledError:
        return
    if exc is not None:
        log.warning("A hint to the watchers of a benchmark was not sent: %s", exc)
