from __future__ import annotations

from django.dispatch import Signal

# Sent after commit, once for each run that ended, with `run` (BenchmarkRun) in its last state.
run_finished = Signal()

# Sent once for each completed run of a schedule, inside the transaction that stores its verdicts,
# with `run` (BenchmarkRun). What a receiver raises undoes the judgement; it is tried again.
run_judged = Signal()
