from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler

# Less than this is the noise of a clock that is being steered.
PUT_BACK = timedelta(seconds=1)


class SteadyScheduler(PersistentScheduler):
    """Goes on at once when the wall clock was put back.

    Celery's own waits until the clock has reached the time of the last tick again.
    """

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if self._was_put_back():
            self._start_anew()
        seconds: float = super().tick(*args, **kwargs)
        return seconds

    def _was_put_back(self) -> bool:
        latest = self.app.now() + PUT_BACK
        ticks = (entry.last_run_at for entry in self.schedule.values())
        return any(last is not None and last > latest for last in ticks)

    def _start_anew(self) -> None:
        now = self.app.now()
        for entry in self.schedule.values():
            entry.last_run_at = now
        # The queue of what comes next is sorted by the old times.
        self._heap = None
