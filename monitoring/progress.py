"""How far a round has come, counted from its checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.models import Round, UptimeCheck


@dataclass(frozen=True, slots=True)
class Progress:
    up: int
    degraded: int
    down: int
    planned: int
    is_over: bool

    @property
    def done(self) -> int:
        return self.up + self.degraded + self.down

    @property
    def missed(self) -> int | None:
        return max(0, self.planned - self.done) if self.is_over else None

    @property
    def progress(self) -> float:
        """From 0 to 1. A model switched off in mid-round never comes, so the end counts as all."""
        if self.is_over:
            return 1.0
        return min(self.done / self.planned, 1.0) if self.planned else 0.0


def progress_of(rounds: Sequence[Round]) -> list[Progress]:
    """In the order of `rounds`, with one query for all of them."""
    tally = UptimeCheck.objects.tally([round.pk for round in rounds])
    return [
        Progress(
            up=tally[round.pk].get("up", 0),
            degraded=tally[round.pk].get("degraded", 0),
            down=tally[round.pk].get("down", 0),
            planned=round.planned,
            is_over=not round.is_open,
        )
        for round in rounds
    ]
