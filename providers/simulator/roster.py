from __future__ import annotations

import time
from collections.abc import Mapping

from providers.simulator.behaviour import Behaviour
from providers.simulator.naming import NAME_PREFIX, behaviour_named

COUNTED_NAMES = 10_000


class Roster:
    """The models on stage. Single dict operations only, so that any thread may change a model."""

    def __init__(self, models: Mapping[str, Behaviour]) -> None:
        now = time.monotonic()
        self._models = {name: (behaviour, now) for name, behaviour in models.items()}
        self._counts: dict[str, int] = {}

    def names(self) -> list[str]:
        return list(self._models)

    def find(self, name: str) -> Behaviour | None:
        """Raises BehaviourError for a self-describing name that cannot be read."""
        known = self._models.get(name)
        if known is not None:
            return known[0]
        return behaviour_named(name) if name.startswith(NAME_PREFIX) else None

    def put(self, name: str, behaviour: Behaviour) -> None:
        self._models[name] = (behaviour, time.monotonic())
        self._counts.pop(name, None)

    def remove(self, name: str) -> bool:
        return self._models.pop(name, None) is not None

    def age_s(self, name: str) -> float:
        known = self._models.get(name)
        return time.monotonic() - known[1] if known else 0.0

    def count(self, name: str) -> int:
        """The number of this request among those for the model, from 1."""
        nth = self._counts.get(name, 0) + 1
        if nth == 1 and len(self._counts) >= COUNTED_NAMES:
            self._counts.pop(next(iter(self._counts)))
        self._counts[name] = nth
        return nth
