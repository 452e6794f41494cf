"""Student's t with a whole number of degrees of freedom."""

from __future__ import annotations

import math
from functools import lru_cache

STEPS = 200


def student_cdf(t: float, freedom: int) -> float:
    """P(T <= t), by the finite series of Abramowitz & Stegun 26.7.3 and 26.7.4."""
    angle = math.atan2(t, math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    term = total = cosine if freedom % 2 else 1.0
    for k in range(2 + freedom % 2, freedom, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if freedom % 2 == 0:
        return 0.5 + sine * total / 2
    inner = angle + (sine * total if freedom > 1 else 0.0)
    return 0.5 + inner / math.pi


@lru_cache(maxsize=1024)
def student_quantile(p: float, freedom: int) -> float:
    """The t with ``student_cdf(t) = p``, by bisection. Raises ValueError outside (0, 1)."""
    if not 0 < p < 1 or freedom < 1:
        raise ValueError("A quantile's p lies between 0 and 1, and freedom starts at 1.")
    if p < 0.5:
        return -student_quantile(1 - p, freedom)
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < p:
        high *= 2
    for _ in range(STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_cdf(middle, freedom) < p else (low, middle)
    return high
