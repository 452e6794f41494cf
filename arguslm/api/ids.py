from __future__ import annotations

from datetime import datetime
from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A version 7 UUID: ordered by time, so new rows land at the end of the primary key index."""
    return compat.uuid7()


def oldest_id(moment: datetime) -> UUID:
    """The smallest identifier that `new_id` can have made at or after `moment`."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
