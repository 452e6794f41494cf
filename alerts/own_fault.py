"""While a round goes on: may it still turn out that the monitor itself has no network?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitoring.status import FEWEST_PROVIDERS_OFFLINE, NO_NETWORK, CheckStatus
from providers.errors import ErrorClass


@dataclass(frozen=True, slots=True)
class Look:
    """One check of a round. ``place``: what fails together, see ``monitoring.rounds``."""

    place: str
    status: CheckStatus
    error_class: ErrorClass | None


def lost_network(status: CheckStatus | None, error_class: ErrorClass | None) -> bool:
    return status is CheckStatus.DOWN and error_class in NO_NETWORK


def may_be_ours(places: Iterable[str], looks: Iterable[Look]) -> bool:
    """Whether the places that have not answered could still make the round ``self_offline``.

    One answer, of whatever kind, shows that its place can be reached; the rest may all fail.
    """
    every = set(places)
    reached = {k.place for k in looks if not lost_network(k.status, k.error_class)}
    silent = len(every - reached)
    return silent >= FEWEST_PROVIDERS_OFFLINE and 2 * silent >= len(every)
