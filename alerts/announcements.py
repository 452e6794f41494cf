"""Hints to open pages that alerts have moved."""

from __future__ import annotations

from django.db import transaction

from arguslm.api.bells import ring
from providers.loop import engine_loop

GROUP = "alerts"


def announce_after_commit() -> None:
    transaction.on_commit(announce)


def announce() -> None:
    ring(GROUP, engine_loop().submit)
