from __future__ import annotations

from django.dispatch import Signal

# Sent after commit, once for each run that ended, with `run` (BenchmarkRun) in its last state.
run_finished = Signal()
