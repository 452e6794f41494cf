"""Histograms over logarithmic buckets: small, mergeable, every quantile within 2.5 %.

Bucket `i` holds values in (G^(i-1), G^i] with G = (1 + A) / (1 - A) and stands for
2·G^i / (G + 1), which is at most the share A away from each of them (the mapping of DDSketch,
Masson, Rim and Lee 2019). The quantile is the one of `providers.statistics`: linear between the
two neighbours, each taken from its bucket.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

ACCURACY = 0.025
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GROWTH = math.log(GROWTH)
# Everything below counts as this: a thousandth of a millisecond, or of a token per second.
SMALLEST = 1e-3
LARGEST = 1e12


def bucket_of(value: float) -> int:
    return math.ceil(math.log(min(max(value, SMALLEST), LARGEST)) / _LOG_GROWTH - 1e-9)


def value_of(bucket: int) -> float:
    return 2 * math.exp(bucket * _LOG_GROWTH) / (GROWTH + 1)


class Histogram:
    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def add(self, value: float) -> None:
        bucket = bucket_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def extend(self, values: Iterable[float]) -> None:
        for value in values:
            self.add(value)

    def merge(self, other: Histogram) -> None:
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    def quantiles(self, *wanted: float) -> list[float | None]:
        """Hyndman and Fan's type 7 for each p; None when nothing was counted."""
        n = self.n
        if n == 0:
            return [None] * len(wanted)
        buckets = sorted(self.counts)
        seen = list(accumulate(self.counts[bucket] for bucket in buckets))

        def at(rank: int) -> float:
            """The value of the item at `rank`, counted from 0."""
            return value_of(buckets[bisect_right(seen, rank)])

        return [_between(p * (n - 1), n, at) for p in wanted]

    def pack(self) -> bytes:
        """Steps between buckets and their counts as LEB128 numbers, steps zigzagged."""
        out = bytearray()
        last = 0
        for bucket in sorted(self.counts):
            _write(out, _zigzag(bucket - last))
            _write(out, self.counts[bucket])
            last = bucket
        return bytes(out)

    @classmethod
    def unpack(cls, packed: bytes | memoryview) -> Histogram:
        found = cls()
        found.absorb(packed)
        return found

    def absorb(self, packed: bytes | memoryview) -> None:
        """Merges a packed histogram without making an object of it."""
        numbers = _numbers(bytes(packed))
        counts, bucket = self.counts, 0
        for step, count in zip(numbers, numbers, strict=True):
            bucket += (step >> 1) ^ -(step & 1)
            counts[bucket] = counts.get(bucket, 0) + count


def _between(place: float, n: int, at: Callable[[int], float]) -> float:
    low = math.floor(place)
    before = at(low)
    after = at(low + 1) if low + 1 < n else before
    return before + (place - low) * (after - before)


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _write(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _numbers(packed: bytes) -> Iterable[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            yield number
            number = shift = 0
