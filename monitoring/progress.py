"""How far a round has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """In the order of `rounds`. Those under way are counted, with one query for all of them."""
    uncounted = [round.pk for round in rounds if round.up is None]
    tally = UptimeCheck.objects.tally(uncounted) if uncounted else {}
    return [_progress(round, tally.get(round.pk)) for round in rounds]


def _progress(round: Round, tally: Mapping[str, int] | None) -> Progress:
    kept = {"up": round.up, "degraded": round.degraded, "down": round.down}
    counts = kept if tally is None else tally
    return Progress(
        up=counts.get("up") or 0,
        degraded=counts.get("degraded") or 0,
        down=counts.get("down") or 0,
        planned=round.planned,
        is_over=not round.is_open,
    )
