from __future__ import annotations

from django.dispatch import Signal

# A round has ended and all its checks are stored. Sent after commit with `round`, at most once for
# each round: a process that dies in between sends nothing, so a receiver's sweep must look as well.
round_recorded = Signal()
