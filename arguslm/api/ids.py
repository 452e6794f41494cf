from __future__ import annotations

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A version 7 UUID: ordered by time, so new rows land at the end of the primary key index."""
    return compat.uuid7()
