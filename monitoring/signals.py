from __future__ import annotations

from django.dispatch import Signal

# A round has ended and all its checks are stored. Sent after commit with `round`, at most once for
# each round: a process that dies in between sends nothing, so a receiver's sweep must look as well.
round_recorded = Signal()

# Checks are stored, often before their round has ended. Sent after commit with `checks`, a list of
# rows of any number of rounds; the same caveat holds. A receiver must be quick: others wait.
checks_recorded = Signal()
