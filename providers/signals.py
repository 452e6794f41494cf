from __future__ import annotations

from django.dispatch import Signal

# Sent after commit. Arguments: account_id (UUID).
account_created = Signal()
