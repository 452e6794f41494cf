"""Hand work to the workers. The row is the truth; the message only shortens the wait."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def nudge(task: Task[Any, Any], *args: str) -> None:
    """Queues the task after commit. When the broker is away the sweepers find the row later."""
    transaction.on_commit(lambda: send(task, *args))


def send(task: Task[Any, Any], *args: str) -> None:
    try:
        task.apply_async(args=args, retry=False, ignore_result=True)
    except (OperationalError, OSError) as exc:
        log.warning("The broker did not take %s: %s. A sweep will find it.", task.name, exc)
