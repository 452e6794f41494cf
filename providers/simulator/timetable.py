from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate

from providers.simulator.behaviour import Behaviour
from providers.simulator.speech import Speech


def timetable(behaviour: Behaviour, speech: Speech, nth: int, age_s: float) -> tuple[int, ...]:
    """When each content chunk is due, in ns after the request; one entry at least.

    Jitter is uniform around the asked gap and repeats with (seed, nth). Drift adds a slow wave of
    `drift_ms` * (1 - cos(2 pi age / period)) / 2 to the TTFT.
    """
    if not behaviour.varies:
        return _steady(behaviour, speech)
    dice = behaviour.dice(nth, "time")
    spread = behaviour.ttft_jitter_ms
    wave = (1.0 - math.cos(2.0 * math.pi * age_s / behaviour.drift_period_s)) / 2.0
    first = behaviour.ttft_ms + behaviour.drift_ms * wave + dice.uniform(-spread, spread)
    gaps = [
        max(0.0, gap + dice.uniform(-behaviour.jitter_ms, behaviour.jitter_ms))
        for gap in _gaps(behaviour, speech)
    ]
    return _stamps(max(0.0, first), gaps)


@lru_cache(maxsize=256)
def _steady(behaviour: Behaviour, speech: Speech) -> tuple[int, ...]:
    return _stamps(behaviour.ttft_ms, _gaps(behaviour, speech))


def _stamps(first_ms: float, gaps_ms: list[float]) -> tuple[int, ...]:
    if not gaps_ms:
        return (round(first_ms * 1e6),)
    return tuple(round((first_ms + passed) * 1e6) for passed in accumulate(gaps_ms))


def _gaps(behaviour: Behaviour, speech: Speech) -> list[float]:
    """The pause before each content chunk, in ms; the first comes on top of the TTFT."""
    pieces = (*speech.reasoning, *speech.answer)
    gaps = [behaviour.gap_ms] * len(pieces)
    if gaps:
        gaps[0] = behaviour.gap_ms * speech.silent_chunks
    said = 0
    for index, piece in enumerate(pieces):
        if behaviour.stall_after_tokens is not None and said >= behaviour.stall_after_tokens:
            gaps[index] += behaviour.stall_ms
            break
        said += piece.tokens
    return gaps
