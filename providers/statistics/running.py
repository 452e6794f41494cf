"""A sample that gains and loses values while its median and spread stay at hand."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from providers.statistics.quantiles import ordered, quantile_of_sorted

# Makes the median absolute deviation of a normal distribution its standard deviation.
MAD_TO_SIGMA = 1.4826


class RunningSample:
    """Kept in order: adding and removing shift memory, median and MAD are O(log n)."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values = ordered(values)

    def __len__(self) -> int:
        return len(self._values)

    def add(self, value: float) -> None:
        insort(self._values, value)

    def remove(self, value: float) -> None:
        """Raises ValueError when the value is not in the sample."""
        place = bisect_left(self._values, value)
        if place == len(self._values) or self._values[place] != value:
            raise ValueError("Only a value of the sample can be removed.")
        del self._values[place]

    def median(self) -> float:
        return quantile_of_sorted(self._values, 0.5)

    def mad(self) -> float:
        """Median absolute deviation from the median, not scaled."""
        centre = self.median()
        size = len(self._values)
        high = self._deviation(size // 2, centre)
        return high if size % 2 else (self._deviation(size // 2 - 1, centre) + high) / 2

    def _deviation(self, rank: int, centre: float) -> float:
        """The ``rank``-th smallest distance from ``centre`` (0-based).

        The rank+1 values nearest to the centre are neighbours in the order: find where they
        start, then the farther end of that stretch is the distance.
        """
        values, low, high = self._values, 0, len(self._values) - 1 - rank
        while low < high:
            middle = (low + high) // 2
            if centre - values[middle] > values[middle + rank + 1] - centre:
                low = middle + 1
            else:
                high = middle
        return max(centre - values[low], values[low + rank] - centre)
